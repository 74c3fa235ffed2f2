// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source text
import { corpus, type Mutation, type Red } from "./mutation.ts";

const relay = (test: string): Red => ({ file: "test/gateway/relay.int.test.ts", test });
const guards = (test: string): Red => ({ file: "test/gateway/push-guards.int.test.ts", test });
const audited = (test: string): Red => ({ file: "test/gateway/relay-audit.int.test.ts", test });
const attacked = (test: string): Red => ({ file: "test/gateway/relay-attacks.int.test.ts", test });
const stopped = (test: string): Red => ({ file: "test/gateway/stopped-run.int.test.ts", test });
const host = (test: string): Red => ({ file: "test/adapters/repo-host-local.int.test.ts", test });

/** What a push may hold, and where it may go. */
export const GIT: readonly Mutation[] = [
  {
    name: "a run pushes to any branch",
    file: "src/gateway/git/push-policy.ts",
    find: "if (command.ref !== own) {",
    replace: "if (false) {",
    red: corpus("GR-01,GR-02,GR-05"),
  },
  {
    name: "a run deletes its branch",
    file: "src/gateway/git/push-policy.ts",
    find: "if (command.new === ZERO_OID)",
    replace: "if (false)",
    red: corpus("GR-03"),
  },
  {
    name: "a run rewrites its branch",
    file: "src/gateway/git/push-policy.ts",
    find: "if (command.old !== ZERO_OID && !follows.get(command.old)) {",
    replace: "if (false) {",
    red: corpus("GR-04"),
  },
  {
    name: "path rules read the last commit only",
    file: "src/gateway/git/push-policy.ts",
    find: "touchedPaths(view, commits.oids),",
    replace: "touchedPaths(view, commits.oids.slice(-1)),",
    red: guards("a path that was touched on the way and is nowhere in the result is still refused"),
  },
  {
    name: "the secret scan reads the last commit only",
    file: "src/gateway/git/push-policy.ts",
    find: "await secretsIn(view, commits,",
    replace: "await secretsIn(view, commits.slice(-1),",
    red: guards("a secret that the next commit takes away is still found"),
  },
  {
    name: "a push may bring a symbolic link",
    file: "src/gateway/git/push-policy.ts",
    find: "if (touched.mode === SYMLINK)",
    replace: "if (false)",
    red: relay("a symbolic link is refused"),
  },
  {
    name: "a denied path in other letters passes",
    file: "src/policy/paths.ts",
    find: "deciding(indexed(rules), fold(path))",
    replace: "deciding(indexed(rules), path)",
    red: relay("a refused path in other letters"),
  },
  {
    name: "a run pushes while its result is checked",
    file: "src/gateway/git/repositories.ts",
    find: 'await writeFile(path.join(gitDir, CLOSED), "");\n      await endPushes(run);\n      return',
    replace: "await endPushes(run);\n      return",
    red: relay("nothing is accepted while the door is closed, and again after it was opened"),
  },
  {
    name: "a run reads another repository",
    file: "src/gateway/git/relay.ts",
    find: "if (grant.git?.repo !== asked.repo)",
    replace: "if (false)",
    red: relay("another repository is refused, and forgetting a run deletes its own"),
  },
  {
    name: "a fetch is served without a line in the record",
    file: "src/gateway/git/relay.ts",
    find: "    await serve(body);",
    replace: "    await run(parts, { grant, asked, req, res, body: bodyOf(body), push: null });",
    red: audited("a fetch by hand, without asking for the refs first, is one line of the record"),
  },
  {
    name: "git is started though its line is not on disk",
    file: "src/gateway/git/relay.ts",
    find: 'if (!(await record(wall, { ...line, outcome: "allow", reason: "rule", rule: null }))) {',
    replace: 'if ((await record(wall, { ...line, outcome: "allow", reason: "rule", rule: null })) === null) {',
    red: audited("while nothing can be recorded, "),
  },
  {
    name: "a push whose verdict is not on disk is accepted",
    file: "src/gateway/git/pushes.ts",
    find: "if (!written)",
    replace: "if (false)",
    red: audited("while nothing can be recorded, a push moves nothing"),
  },
  {
    name: "what is in the mirror is served to whoever knows its id",
    file: "src/gateway/git/backend.ts",
    find: "/^version=[01]$/",
    replace: "/^version=[012]$/",
    red: attacked("a commit that the run's refs do not reach is not served, whoever knows its id"),
  },
  {
    name: "the forge's other branches are named to a run",
    file: "src/gateway/git/backend.ts",
    find: '"core.alternateRefsPrefixes": "refs/countersign-none/",',
    replace: "",
    red: attacked("what a run is not given is not named to it, neither to fetch nor to push on top of"),
  },
  {
    name: "a push may bring in another branch's commits",
    file: "src/gateway/git/push-policy.ts",
    find: "if (borrowed !== null) {",
    replace: "if (false) {",
    red: attacked("a push may not build on a commit that the run was not given, whoever knows its id"),
  },
  {
    name: "a small pack may hold a large file",
    file: "src/gateway/git/push-policy.ts",
    find: "if (large !== null) {",
    replace: "if (false) {",
    red: attacked("a pack of kilobytes that holds a file larger than may be pushed is refused"),
  },
  {
    name: "a commit may say a credential",
    file: "src/gateway/git/commits.ts",
    find: "return [...said, ...scanner.end()];",
    replace: "void said;\n  return [...scanner.end()];",
    red: attacked("a credential in a commit's "),
  },
  {
    name: "a fetch under way outlives its run",
    file: "src/gateway/git/relay.ts",
    find: "cut: () => void res.destroy() }",
    replace: "cut: () => undefined }",
    red: stopped("a fetch under way ends with its run"),
  },
  {
    name: "a fetch is served by the grant with which it began",
    file: "src/gateway/git/relay.ts",
    find: "const still = admittedTo(parts, admit(wall, token, carrier), asked);",
    replace: "const still = admitted;",
    red: stopped("a fetch whose body comes after the run was stopped is refused"),
  },
  {
    name: "a sandbox starts as many gits as it likes",
    file: "src/gateway/git/relay.ts",
    find: "const atWork = turnstile(AT_ONCE);",
    replace: "const atWork = turnstile(AT_ONCE * 1_000);",
    red: stopped("a sandbox may have a few gits at work at once, and not as many as it likes"),
  },
  {
    name: "a push that cannot be checked is accepted",
    file: "src/gateway/git/hook.ts",
    find: ">&2; exit 1; }",
    replace: ">&2; exit 0; }",
    red: guards("a hook that nobody answers refuses the push"),
  },
  {
    name: "our push goes over what somebody else pushed",
    file: "src/adapters/repo-host/local/host.ts",
    find: 'const lease = `--force-with-lease=${ref}:${to.expected ?? ""}`;',
    replace: 'const lease = "--force";',
    red: {
      file: "test/adapters/repo-host-lease.int.test.ts",
      test: "moves a branch that somebody has just moved",
    },
  },
  {
    name: "our push does not look where the branch is",
    file: "src/adapters/repo-host/local/host.ts",
    find: "if (before !== to.expected) throw stale(before);",
    replace: "to = { ...to, expected: before };",
    red: host("a push is stale when the branch is anywhere else, and leaves it there"),
  },
  {
    name: "we push to the default branch",
    file: "src/adapters/repo-host/local/host.ts",
    find: "if (to.branch === defaultBranch)",
    replace: "if (false)",
    red: host("the default branch is never pushed"),
  },
];
