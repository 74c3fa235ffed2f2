import { expect, test } from "vitest";
import { commandObjects } from "#policy/decide/command-actions.ts";
import { decide } from "#policy/decide/decide.ts";
import type { PolicyObject } from "#policy/decision.ts";
import { explain } from "#policy/explain/explain.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { loaded, sampleFiles } from "#test/policy/sample.ts";

const policy = loaded(loadPolicy(sampleFiles(), { commit: "c0ffee" }));
const teams = Object.keys(policy.teams);

/** What an agent runs in the course of ordinary work. */
const PLAIN = {
  npm: [
    "npm ci",
    "npm test",
    "npm run build",
    "npm run lint -- --fix",
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
  ],
  Python: [
    "pytest -q",
    "python -m pytest tests/test_a.py -k name",
    "pip install -r requirements.txt",
    "python3 scripts/make.py",
    "ruff check .",
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
      point: "protocol",
      advisory: true,
      considered: [
        { at: "baseline", text: "allow command *", says: "decides", why: expect.stringContaining("sandbox") },
      ],
    },
  ]);
  const branch = explain(policy, {
    team: "shop",
    objects: [{ subject: "git.branch", repo: "acme/shop", branch: "agent/r1" }],
  });
  expect(branch.objects[0]?.considered.at(-1)).toMatchObject({ at: "baseline", says: "decides" });
});
