// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source text
import type { Mutation, Red } from "./mutation.ts";

const walls = (test: string): Red => ({ file: "test/adapters/sandbox-local.int.test.ts", test });
const slack = (test: string): Red => ({ file: "test/surfaces/slack/receiver.test.ts", test });
const guard = (test: string): Red => ({ file: "test/playground/guard.int.test.ts", test });
const pages = (test: string): Red => ({ file: "test/adapters/repo-host-pages.int.test.ts", test });

/** The sandbox's walls, and the doors that people and webhooks come in by. */
export const EDGES: readonly Mutation[] = [
  {
    name: "reading follows a link out of the sandbox's folders",
    file: "src/runner/files.ts",
    find: "if (!isWithin(fd, root)) throw new RunnerError",
    replace: "if (false) throw new RunnerError",
    red: walls("read and write refuse every way out: links, FIFOs, devices, second names, size"),
  },
  {
    name: "writing follows a link out of the sandbox's folders",
    file: "src/runner/files.ts",
    find: "if (!isWithin(parent, root)) throw new RunnerError",
    replace: "if (false) throw new RunnerError",
    red: walls("read and write refuse every way out: links, FIFOs, devices, second names, size"),
  },
  {
    name: "a file with a second name is read",
    file: "src/runner/files.ts",
    find: "if (about.nlink > 1) throw",
    replace: "if (false) throw",
    red: walls("read and write refuse every way out: links, FIFOs, devices, second names, size"),
  },
  {
    name: "inside a sandbox new user namespaces can be made",
    file: "src/adapters/sandbox/local/bubblewrap.ts",
    find: '  "--disable-userns",\n',
    replace: "",
    red: walls("the system is read-only, and there are no capabilities and no namespaces to be had"),
  },
  {
    name: "the system inside a sandbox can be written to",
    file: "src/adapters/sandbox/local/bubblewrap.ts",
    find: '    ...["--remount-ro", "/"],\n',
    replace: "",
    red: walls("the system is read-only, and there are no capabilities and no namespaces to be had"),
  },
  {
    name: "a sandbox with a way out is used all the same",
    file: "src/adapters/sandbox/local/supervisor.ts",
    find: "if (attempts.length === 0 || reached.length > 0) {",
    replace: "if (false) {",
    red: {
      file: "test/adapters/sandbox-local-probe.int.test.ts",
      test: "a sandbox from which anything can be reached is refused, and nothing is left of it",
    },
  },
  {
    name: "a folder that others can change holds sandboxes",
    file: "src/adapters/sandbox/local/staging.ts",
    find: "about.uid !== OURS || (about.mode & 0o022) !== 0",
    replace: "about.uid !== OURS",
    red: {
      file: "test/adapters/sandbox-local-host.int.test.ts",
      test: "a folder that somebody else can change is not used",
    },
  },
  {
    name: "anybody's signature is Slack's",
    file: "src/surfaces/slack/receiver.ts",
    find: "const same = given.length === expected.length && timingSafeEqual(given, expected);",
    replace: "const same = given.length === expected.length;",
    red: slack("one changed byte breaks the signature"),
  },
  {
    name: "a request of Slack's is taken at any age",
    file: "src/surfaces/slack/receiver.ts",
    find: "return same && Math.abs(now().getTime() / 1000 - Number(time)) <= SKEW_MOST_SEC;",
    replace: "return same && Number(time) - now().getTime() / 1000 <= SKEW_MOST_SEC;",
    red: slack("older is refused"),
  },
  {
    name: "a request of Slack's may come from the future",
    file: "src/surfaces/slack/receiver.ts",
    find: "return same && Math.abs(now().getTime() / 1000 - Number(time)) <= SKEW_MOST_SEC;",
    replace: "return same && now().getTime() / 1000 - Number(time) <= SKEW_MOST_SEC;",
    red: slack("further ahead is refused, though Bolt would take it"),
  },
  {
    name: "a repeated delivery is heard again",
    file: "src/surfaces/slack/receiver.ts",
    find: "if (!fresh) return undefined;",
    replace: "",
    red: slack("the same event twice is heard once"),
  },
  {
    name: "an envelope of a socket is acknowledged before it is kept",
    file: "src/surfaces/slack/receiver.ts",
    find: "      const answer = TAKEN.includes(type) && isBody(body) ? await accept(body) : undefined;",
    replace: "      const answer = undefined;\n      if (TAKEN.includes(type) && isBody(body)) void accept(body);",
    red: slack("over a socket it is kept before it is acknowledged, and heard once however often it comes"),
  },
  {
    name: "the playground answers to any Host",
    file: "src/playground/slack/guard.ts",
    find: "if (!LOOPBACK.has(hostname(host)) || !LOOPBACK.has(url.hostname))",
    replace: "if (false)",
    red: guard("refuses a Host that is not this machine"),
  },
  {
    name: "the playground answers to another site's page",
    file: "src/playground/slack/guard.ts",
    find: "if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)",
    replace: "if (false)",
    red: guard("refuses another site's Origin"),
  },
  {
    name: "the playground opens without its start token",
    file: "src/playground/slack/guard.ts",
    find: "if (mayEnter) return next();",
    replace: "return next();",
    red: guard("needs the start token"),
  },
  {
    name: "the playground starts beside real credentials",
    file: "src/playground/slack/playground.ts",
    find: "if (o.realCredentials.length > 0) {",
    replace: "if (false) {",
    red: guard("it does not start beside real credentials"),
  },
  {
    name: "another site's form merges",
    file: "src/adapters/repo-host/local/guard.ts",
    find: 'if (!sameOrigin(request)) return "elsewhere";',
    replace: "",
    red: pages("another origin"),
  },
  {
    name: "a form's token is not looked at",
    file: "src/adapters/repo-host/local/guard.ts",
    find: 'return a.length === b.length && timingSafeEqual(a, b) ? null : "outdated";',
    replace: "return null;",
    red: pages("a token is good for one person, one browser and one button"),
  },
  {
    name: "a merge takes commits that the person did not see",
    file: "src/adapters/repo-host/local/decide.ts",
    find: 'if (kept.pull.headOid !== headOid) return { kind: "head_moved" };',
    replace: "",
    red: pages("a branch that moved under the reader is not merged unseen"),
  },
  {
    name: "a pull request of the local host is shown to everybody who has signed in",
    file: "src/adapters/repo-host/local/pages.ts",
    find: "if (sight !== undefined && !(await sight.pull(c.req.raw, repo, number))) return null;",
    replace: "",
    red: pages(
      "where a sight is given, what it does not show is like what is not there, and a spectator decides nothing",
    ),
  },
  {
    name: "run pages are shown to anybody",
    file: "src/surfaces/web/gate.ts",
    find: "if (visitor !== null) return visitor;",
    replace: "if (visitor !== undefined) return visitor as V;",
    red: {
      file: "test/surfaces/web-pages.test.ts",
      test: "nothing is shown without access, and no answer tells whether a run exists",
    },
  },
  {
    name: "a run is shown to everybody who has signed in",
    file: "src/surfaces/web/pages.ts",
    find: 'RUN_ID.test(id) && (await o.mayRead(id, c.get("visitor"))) ? o.load(id) : null',
    replace: "RUN_ID.test(id) ? o.load(id) : null",
    red: {
      file: "test/surfaces/web-pages.test.ts",
      test: "a run that is not theirs and one that is not there are the same to who is signed in, everywhere",
    },
  },
  {
    name: "a key that others can read is used",
    file: "src/adapters/secrets/keys.ts",
    find: "(mode & 0o077) !== 0",
    replace: "false",
    red: {
      file: "test/adapters/keys.test.ts",
      test: "a key that others can read is refused with the line that mends it",
    },
  },
];
