import { expect, test } from "vitest";
import { commandObjects } from "#policy/decide/command-actions.ts";
import { decide } from "#policy/decide/decide.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { load, loaded, sampleFiles, teamFile } from "#test/policy/sample.ts";

const actions = (command: string): string[] =>
  commandObjects(command).flatMap((object) =>
    object.subject === "action" ? [`${object.action}${object.draft === undefined ? "" : ` ${object.draft}`}`] : [],
  );

const NEW = [
  "npm install lodash",
  "npm i -D vitest",
  "npm --prefix web add lodash@4",
  "cd web && npm install --save-dev lodash",
  "pnpm add lodash",
  "pnpm dlx create-thing",
  "yarn add lodash",
  "yarn global add lodash",
  "bun add lodash",
  "npx -y create-thing",
  "npx --package=left-pad pad",
  "npx cowsay@1.5 hi",
  "npm exec --yes cowsay",
  "pip install requests",
  "pip3.12 install 'requests>=2'",
  "python3 -m pip install requests",
  "pip install -r requirements.txt requests",
  "uv add requests",
  "uv pip install requests",
  "uvx ruff",
  "pipx install ruff",
  "poetry add -G dev ruff",
  "go get example.com/x@latest",
  "go get -u ./...",
  "go install example.com/x@v1",
  "go run example.com/x@v1",
  "cargo add serde",
  "gem install rake",
  "sudo apt-get install -y jq",
  'bash -c "npm install lodash"',
  "cat list | xargs npm install",
  // Fetched when it is not installed, and nobody is asked first where there is no terminal.
  "npx vitest run",
  "npx --yes --no-install cowsay",
  "npx cowsay --no-install",
  "npm exec vitest",
  "npm x vitest",
  "npm exec --no vitest --yes",
  "cat list | xargs npx",
  "bunx cowsay",
  "bun x cowsay",
  "pnpx cowsay",
  "deno run npm:cowsay",
  "deno run -A https://example.com/x.ts",
  "npm init vite",
  "npm create vite@latest web",
  "npm innit vite",
  "yarn create vite",
  "pnpm create vite",
  "bun create vite",
  "npm it lodash",
  "npm install-test lodash",
  "npm isntall lodash",
  "npm isnta lodash",
  "npm link lodash",
  "npm ini vite",
  "corepack pnpm add lodash",
  "corepack pnpm@9 add lodash",
  "corepack use pnpm@9",
  "yarn up lodash",
  "yarn workspace web add lodash",
  "yarn workspaces foreach -A add lodash",
  "pnpm up lodash@2",
  "npm update lodash@npm:left-pad",
  "uv run --with requests script.py",
  "uv run --with=requests script.py",
  "uv run pip install requests",
  "pipx run cowsay",
  "poetry run pip install requests",
  "pipenv run pip install requests",
  "bundle exec gem install rake",
  "pnpm exec npm install lodash",
  "pip install -e git+https://example.com/x.git",
  "pip install -r https://example.com/requirements.txt",
  "pip install --requirement=https://example.com/requirements.txt",
  "pip install ./x.whl",
  "npm install ./x.tgz",
  "npm install file:../x.tar.gz",
  "npm install https://example.com/x.tgz",
  "npm install git@example.com:a/b.git",
  "npx --no-install npm install lodash",
  "uv run python -m pip install requests",
  `${"uv run ".repeat(1_000)}ls`,
  "npm --some-option value install lodash",
  "env CI=1 npm install lodash",
  "sudo -E npm install lodash",
  "xargs -n 1 npm install < list",
  "sh -c 'cd web; npm install lodash'",
  "env CI=1 sh -c 'sudo npx cowsay'",
];
test.each(NEW)("%s puts in a package that nothing declares", (command) => {
  expect(actions(command)).toEqual(["package.install"]);
});

const DECLARED = [
  "npm ci",
  "npm install",
  "npm --prefix web install",
  "npm install --omit dev",
  "npm install ./packages/a",
  "npm test",
  "npm run install-hooks",
  "npx --no-install vitest run",
  "npx --no @biomejs/biome check",
  "npx --no-install tsc --noEmit",
  "npx --version",
  "npm exec --no vitest",
  "npm exec --no -- vitest run",
  "bunx --no-install vitest",
  "pnpm exec vitest",
  "npm init -y",
  "npm ci --registry https://registry.example.com",
  "npm install --registry https://registry.example.com",
  "pip install -r requirements.txt --index-url https://index.example.com/simple",
  "npm update lodash",
  "pnpm up lodash",
  "find src -name x | xargs wc -l; npm install",
  "uv run pytest",
  "cat files | xargs poetry run ruff check",
  "poetry run pytest -q",
  "bundle exec rake",
  "deno run main.ts",
  "corepack enable",
  "corepack pnpm install",
  "pnpm install --frozen-lockfile",
  "yarn",
  "yarn install",
  "bun install",
  "pip install -r requirements.txt",
  "pip install --no-cache-dir -e .",
  'pip install -e ".[dev]"',
  "pip install .",
  "uv sync",
  "pytest -q",
  "python3 -m pytest",
  "go test ./...",
  "go build ./...",
  "go mod download",
  "go install ./cmd/x",
  "go run ./cmd/x",
  "cargo build",
  'echo "npm install lodash"',
  'git commit -m "npm install lodash"',
];
test.each(DECLARED)("%s puts in nothing new", (command) => {
  expect(actions(command)).toEqual([]);
});

test("what puts in nothing new asks nobody under the sample policies", () => {
  const policy = loaded(loadPolicy(sampleFiles(), { commit: "c0ffee" }));
  for (const command of DECLARED) {
    for (const team of Object.keys(policy.teams)) {
      expect(decide(policy, { team, objects: commandObjects(command) }).outcome, `${team}: ${command}`).toBe("allow");
    }
  }
});

test("words to the forge are the actions that they are", () => {
  expect(actions("gh pr create --draft --title x")).toEqual(["pr.open true"]);
  expect(actions("gh pr create --title x")).toEqual(["pr.open false"]);
  expect(actions("gh -R acme/shop pr edit 4 --title x")).toEqual(["pr.update"]);
  expect(actions("gh issue comment 4 --body x")).toEqual(["issue.comment"]);
  expect(actions("glab mr merge 4")).toEqual(["pr.merge"]);
  expect(actions("gh pr view 4")).toEqual([]);
});

test("a merge is denied where the agent asks to run it, whatever the rules about commands say", () => {
  const policy = loaded(load(teamFile('rules:\n  - allow: {command: "*"}\n')));
  expect(decide(policy, { team: "shop", objects: commandObjects("gh pr merge 4") })).toMatchObject({
    outcome: "deny",
    rules: [{ text: "deny action pr.merge, deploy.*" }],
  });
});

test("a new package goes to policy: no rule is no, and a rule asks whom it names", () => {
  const install = { team: "shop", objects: commandObjects("npm install lodash") };
  expect(decide(loaded(load(teamFile(""))), install)).toMatchObject({ outcome: "deny", reason: "no_rule" });
  const asked = loaded(load(teamFile("rules:\n  - {ask: {action: package.install}, from: group:leads}\n")));
  expect(decide(asked, install)).toMatchObject({ outcome: "ask", asks: [{ from: "group:leads" }] });
});
