import { expect, test } from "vitest";
import { decide } from "#policy/decide/decide.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

/** The outcome of a command under these rules, and who is asked. */
function of(command: string, rules = "", org = ORG): string {
  const policy = loaded(load(teamFile(`rules:\n  - allow: {git.repo: acme/shop}\n${rules}`), { org }));
  const decision = decide(policy, { team: "shop", objects: [{ subject: "command", command }] });
  const asked = decision.outcome === "ask" ? decision.asks.map(({ from }) => ` ${from}`).join() : "";
  return decision.outcome + asked;
}

const NOT_SHELL = ["echo 'unfinished", "if true; then ls", "(ls", `${"$(".repeat(40)}ls${")".repeat(40)}`];

test.each(NOT_SHELL)("what is no shell is asked about, also where no rule speaks of commands: %s", (command) => {
  expect(of(command)).toBe("ask group:shop");
});

test("those asked are the people of the rules about commands, else the defaults', else the owners, else the team's own", () => {
  const [command = ""] = NOT_SHELL;
  const owned = `${ORG}owners: {from: group:leads}\n`;
  const named = `${owned}defaults: {approvals: {from: group:shop}}\n`;
  expect(of(command, "", owned)).toBe("ask group:leads");
  expect(of(command, "", named)).toBe("ask group:shop");
  expect(of(command, '  - {ask: {command: "rm *"}, from: group:leads}\n', named)).toBe("ask group:leads");
});

test("a team that allows every command is asked about none, until it denies or asks about one", () => {
  const [command = ""] = NOT_SHELL;
  const every = '  - allow: {command: "*"}\n';
  expect(of(command, every)).toBe("allow");
  expect(of(command, '  - {allow: {command: "*"}, except: "rm *"}\n')).toBe("ask group:shop");
  expect(of(command, `${every}  - deny: {command: "dropdb *"}\n`)).toBe("ask group:shop");
});

const HIDES = ["$RUNNER test", "P=npm; $P install evil", "npm $VERB evil", 'sh -c "$SCRIPT"'];
const OPEN = "  - allow: {action: package.install}\n";

test.each(HIDES)(
  "what names only when it runs what it does is asked about wherever it could hide something: %s",
  (command) => {
    // The baseline denies a new package, and who asks about one is asked about this.
    expect(of(command)).toBe("ask group:shop");
    expect(of(command, "  - {ask: {action: package.install}, from: group:leads}\n")).toBe("ask group:leads");
    expect(of(command, `${OPEN}  - deny: {command: "dropdb *"}\n`)).toBe("ask group:shop");
    expect(of(command, `${OPEN}  - {ask: {action: "issue.*"}, from: group:leads}\n`)).toBe("ask group:leads");
    const always = `${ORG}always: [{ask: {action: package.install}, from: group:leads}]\n`;
    expect(of(command, '  - allow: {command: "*"}\n', always)).toBe("ask group:leads");
  },
);

test.each(HIDES)("and by nobody where it could hide nothing: %s", (command) => {
  expect(of(command, OPEN)).toBe("allow");
  expect(of(command, '  - allow: {command: "*"}\n')).toBe("allow");
  // What these say is held where the pull request is opened, whatever a command was.
  expect(of(command, `${OPEN}  - {ask: {action: pr.open}, from: group:leads}\n  - deny: {action: [pr.merge]}\n`)).toBe(
    "allow",
  );
});

test("a line that is too long to be read is asked about, whatever stands in front", () => {
  const long = `npm install evil # ${"x".repeat(33_000)}`;
  expect(of(long)).toBe("ask group:shop");
  expect(of(long, OPEN)).toBe("ask group:shop");
  expect(of(long, '  - allow: {command: "*"}\n')).toBe("allow");
});

test("a file that is written whole is no long line, also where rules look for something else", () => {
  const command = `cat > a.md <<'E'\n${"it's long\n".repeat(3_000)}E`;
  expect(of(command)).toBe("allow");
  expect(of(command, '  - deny: {command: "dropdb *"}\n')).toBe("allow");
});

test("what agents write every day is shell", () => {
  for (const command of [
    "cat > a.md <<'EOF'\nit's a \"file\" (with $(things)\nEOF",
    "[[ -f a && $(wc -l < a) -gt 3 ]] && echo yes || echo no",
    "for f in **/*.ts; do sed -i 's/a/b/g' \"$f\"; done",
    'x=$((1 + 2)); echo $x $((x * 2)) "$1"',
    "diff <(sort a) <(sort b) 2>/dev/null",
    "git commit -m \"$(cat <<'EOF'\nfix: it's done\n\nCo-authored-by: A <a@example.com>\nEOF\n)\"",
    'python3 - <<PY\nprint("it\'s")\nPY',
    'while read -r line; do echo "$line"; done < <(ls)',
  ]) {
    expect(of(command), command).toBe("allow");
  }
});
