import { describe, expect, test } from "vitest";
import { commandObjects } from "#policy/decide/command-actions.ts";
import { decide } from "#policy/decide/decide.ts";
import type { PolicyObject } from "#policy/decision.ts";
import { explain } from "#policy/explain/explain.ts";
import { compileScope } from "#policy/load/compile.ts";
import { loadPolicy } from "#policy/load/load.ts";
import type { SiteConfig } from "#policy/site.ts";
import { loaded, sampleFiles } from "#test/policy/sample.ts";

/** An operator who has configured where packages of each stack come from. */
const site: SiteConfig = {
  presets: ["model-openai", "npm-read"],
  pypi: [
    { host: "index.packages.test", paths: ["/simple", "/simple/**"] },
    { host: "files.packages.test", paths: ["/**"] },
  ],
  goProxy: { host: "proxy.packages.test", base: "/go" },
};
const policy = loaded(loadPolicy(sampleFiles(), { commit: "c0ffee", site }));
const teams = Object.keys(policy.teams);

/** What an agent runs in the course of ordinary work. */
const PLAIN = {
  npm: [
    "npm ci",
    "npm test",
    "npm run build",
    "npm run lint -- --fix",
    'npm test -- --grep "$NAME" > out.txt 2>&1',
    'timeout 120 npm test -- "$FILE"',
    'for f in test/*.test.js; do node --test "$f"; done',
    // Without the option npx fetches a tool that is not there, and which are there is not known to policy.
    "npx --no-install tsc --noEmit",
    "npx --no vitest run",
    "npm exec --no eslint .",
    "node --test test/",
    "node -e 'console.log(1)'",
  ],
  Go: [
    "go test ./...",
    "go test -run TestX -v ./pkg/...",
    "go build",
    "go build -o bin/x ./cmd/x",
    "go mod download",
    "go vet ./...",
    "gofmt -l .",
    'time go test -race "./$PKG/..."',
  ],
  Python: [
    "pytest -q",
    "python -m pytest tests/test_a.py -k name",
    "pip install -r requirements.txt",
    "python3 scripts/make.py",
    "ruff check .",
    'env PYTHONPATH="$PWD/src" timeout 60 pytest -q "$FILE"',
  ],
  git: [
    "git status",
    "git diff --stat HEAD~1",
    "git log --oneline -5",
    "git add -A",
    "git commit -m 'fix: a $ and a (bracket)'",
    "git checkout -b x",
    "git stash",
  ],
  looking: [
    "ls -la src",
    "cat README.md | head -20",
    "grep -rn 'useState(' src --include='*.tsx' | wc -l",
    "sed -n '1,40p' src/a.ts",
    'rg -n "TODO|FIXME" src && echo found || true',
    "find . -name '*.ts' -not -path './node_modules/*' | xargs wc -l | sort -n | tail -5",
    "find . -name '*.orig' -exec cat {} \\;",
    'for f in src/*.ts; do echo "$f"; done',
    "cd src && pwd; ls | grep test",
    "cat <<'END' > notes.md\nrm -rf / is only words here\nEND",
    'echo "$(git rev-parse HEAD)" > /tmp/head',
    "NODE_ENV=test CI=1 npm test 2>&1 | tee out.log",
    "mkdir -p a/b && cp x a/b/ && mv a/b/x a/b/y && touch z",
    "which node; node --version; env | sort",
    "curl -fsS http://127.0.0.1:3000/healthz",
    "find src -name '*.js' -print0 | xargs -0 grep -l \"$WORD\"",
    `cat > docs/long.md <<'END'\n${"A line of a file that is written whole; it's long.\n".repeat(500)}END`,
    "test -f package.json && jq .scripts package.json",
  ],
};

test.each(Object.entries(PLAIN))("a plain %s session under the sample policies asks nobody", (_what, commands) => {
  for (const command of commands) {
    for (const team of teams) {
      const decision = decide(policy, { team, objects: commandObjects(command) });
      expect(decision.outcome, `${team}: ${command}: ${JSON.stringify(decision.rules)}`).toBe("allow");
    }
  }
});

const get = (url: string): PolicyObject => {
  const { hostname, pathname } = new URL(url);
  return { subject: "egress", host: hostname, port: 443, method: "GET", path: pathname };
};

/** Where what a run of each stack has declared comes from, and the sample teams that have it. */
const STACKS: readonly {
  readonly stack: keyof typeof PLAIN;
  readonly fetches: readonly PolicyObject[];
  readonly by: readonly string[];
}[] = [
  { stack: "npm", fetches: [{ subject: "preset", preset: "npm-read" }], by: ["shop", "yours"] },
  {
    stack: "Python",
    fetches: [
      { subject: "preset", preset: "pypi-read" },
      get("https://index.packages.test/simple/requests/"),
      get("https://files.packages.test/packages/70/8e/requests-2.32.3-py3-none-any.whl"),
    ],
    by: ["yours"],
  },
  {
    stack: "Go",
    fetches: [
      { subject: "preset", preset: "go-read" },
      get("https://proxy.packages.test/go/example.com/!upper/x/v2/@v/list"),
      get("https://proxy.packages.test/go/example.com/x/@v/v1.2.3+incompatible.info"),
      get("https://proxy.packages.test/go/example.com/x/@v/v1.2.3.mod"),
      get("https://proxy.packages.test/go/example.com/x/@v/v1.2.3.zip"),
      get("https://proxy.packages.test/go/example.com/x/@latest"),
      get("https://proxy.packages.test/go/sumdb/sums.example.com/lookup/example.com/x@v1.2.3"),
    ],
    by: ["yours"],
  },
];

describe.each(STACKS)("a plain $stack run under the sample policies", ({ stack, fetches, by }) => {
  const objects: readonly PolicyObject[] = [
    { subject: "preset", preset: "model-openai" },
    { subject: "model", model: "gpt-5" },
    ...["read", "search", "edit", "execute"].map((tool) => ({ subject: "tool", tool }) as const),
    ...[...PLAIN[stack], ...PLAIN.git, ...PLAIN.looking].flatMap((command) => commandObjects(command)),
    ...fetches,
  ];

  test.each(by)("asks nobody and is refused nothing: %s", (team) => {
    const refused = objects.filter((object) => decide(policy, { team, objects: [object] }).outcome !== "allow");
    expect(refused).toEqual([]);
    expect(decide(policy, { team, objects: [...objects] }).outcome).toBe("allow");
    const repo = team === "shop" ? "acme/shop" : "local/tool";
    expect(compileScope(policy, { team, repo, run: "r1" })).toMatchObject({ ok: true, scope: { registry: true } });
  });

  test.each(teams.filter((team) => !by.includes(team)))("fetches nothing for a team without the preset: %s", (team) => {
    const open = fetches.filter((object) => decide(policy, { team, objects: [object] }).outcome !== "deny");
    expect(open).toEqual([]);
  });
});

test("editing inside the allowed paths, pushing to the run's branch and opening a draft ask nobody", () => {
  const repo = "acme/shop";
  const objects: PolicyObject[] = [
    { subject: "git.repo", repo },
    { subject: "git.branch", repo, branch: "agent/r1" },
    { subject: "git.path", repo, path: "src/cart.js" },
    { subject: "git.path", repo, path: "test/cart.test.js" },
    { subject: "git.size", repo, files: 2, lines: 40, bytes: 2_000 },
    { subject: "action", action: "pr.open", draft: true },
    { subject: "action", action: "pr.update" },
    { subject: "tool", tool: "shell" },
    { subject: "tool", tool: "browser" },
    { subject: "tool", tool: "edit" },
  ];
  expect(decide(policy, { team: "shop", objects }).outcome).toBe("allow");
});

test("the declared checks and setup of every team ask nobody", () => {
  for (const [team, { checks, setup }] of Object.entries(policy.teams)) {
    for (const { command } of [...checks, ...setup]) {
      expect(decide(policy, { team, objects: commandObjects(command) }).outcome, `${team}: ${command}`).toBe("allow");
    }
  }
});

test("what is new goes to policy: a package, a host, a secret, a protected path, another branch", () => {
  const repo = "acme/shop";
  const wanted: [PolicyObject[], string][] = [
    [[...commandObjects("npm install left-pad")], "ask"],
    [[{ subject: "git.path", repo, path: "package.json" }], "ask"],
    [[{ subject: "egress", host: "new.example.com", port: 443, method: "GET", path: "/" }], "deny"],
    [[{ subject: "secret.name", secret: "cms-read" }], "deny"],
    [[{ subject: "git.path", repo, path: ".github/workflows/ci.yml" }], "deny"],
    [[{ subject: "git.branch", repo, branch: "main" }], "deny"],
  ];
  for (const [objects, outcome] of wanted) {
    expect(decide(policy, { team: "shop", objects }).outcome, JSON.stringify(objects)).toBe(outcome);
  }
});

test("the baseline is explained like any rule: with its sentence, its reason and where it acts", () => {
  const { objects } = explain(policy, { team: "shop", objects: commandObjects("npm test") });
  expect(objects).toMatchObject([
    {
      outcome: "allow",
      points: ["protocol"],
      advisory: true,
      considered: [
        { at: "baseline", text: "allow command *", says: "decides", why: expect.stringContaining("sandbox") },
      ],
    },
    { outcome: "allow", points: ["protocol"], considered: [{ at: "baseline", text: "allow tool *", says: "decides" }] },
  ]);
  const branch = explain(policy, {
    team: "shop",
    objects: [{ subject: "git.branch", repo: "acme/shop", branch: "agent/r1" }],
  });
  expect(branch.objects[0]?.considered.at(-1)).toMatchObject({ at: "baseline", says: "decides" });
});
