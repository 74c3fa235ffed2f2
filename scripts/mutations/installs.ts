import type { Mutation } from "./mutation.ts";

const installing = (test: string) => ({ file: "test/surfaces/slack/install.int.test.ts", test });
const tokens = (test: string) => ({ file: "test/adapters/slack-tokens.int.test.ts", test });
const ends = (test: string) => ({ file: "test/runs/left.int.test.ts", test });
const asking = (test: string) => ({ file: "test/adapters/installations.int.test.ts", test });
const atDoor = (test: string) => ({ file: "test/adapters/slack-door.test.ts", test });
const left = (test: string) => ({ file: "test/surfaces/slack/left.test.ts", test });

/** Who may install the app, and what becomes of tokens. */
export const INSTALLS: readonly Mutation[] = [
  {
    name: "two processes may spend one refresh token",
    file: "db/slack.ts",
    find: '.where(mine(id)).for("update");',
    replace: ".where(mine(id));",
    red: tokens("two processes that need another token at once spend one refresh token, and both have what came of it"),
  },
  {
    name: "who waited for a renewal renews again",
    file: "src/adapters/directory/slack-tokens.ts",
    find: "if (fresh || refresh === null",
    replace: "if (refresh === null",
    red: tokens("two processes that need another token at once spend one refresh token, and both have what came of it"),
  },
  {
    name: "a token opens in whatever row it stands",
    file: "src/adapters/directory/slack-sealed.ts",
    find: "`slack/${orgId}/${id}/${what}`",
    replace: '["slack", orgId, id, what].slice(0, 1).join()',
    red: tokens("a row that somebody has changed, or filled from another one, opens nothing"),
  },
  {
    name: "an installation may be finished in any browser",
    file: "db/slack.ts",
    find: "            eq(installs.browser, browser),\n",
    replace: "",
    red: installing("a replayed, forged, strange or late return installs nothing, and costs the one who began nothing"),
  },
  {
    name: "anybody may begin an installation",
    file: "src/surfaces/slack/install.ts",
    find: "  app.use(INSTALL_AT, ...o.gate);\n",
    replace: "",
    red: installing("without the start link nobody begins, whatever name the page was opened under"),
  },
  {
    name: "any workspace may install the app",
    file: "src/adapters/directory/slack-installations.ts",
    find: "allowed.includes(of.id) ||",
    replace: "of.id !== null ||",
    red: installing("a workspace that is not in the list is told so, and the app is taken out of it again"),
  },
  {
    name: "a workspace that has not installed the app is heard",
    file: "src/surfaces/slack/receiver.ts",
    find: '    if (entry === "shut") return undefined;\n',
    replace: "",
    red: left("what comes from a workspace that has not installed us is answered, and neither kept nor heard"),
  },
  {
    name: "any bot's revoked token is the workspace's farewell",
    file: "src/runs/record/left.ts",
    find: "  if (bots !== null && !bots.includes(there.botUserId)) return;\n",
    replace: "",
    red: ends("late news, another bot's, and news that the chat denies end nothing"),
  },
  {
    name: "any refusal of Slack's ends an installation",
    file: "src/adapters/directory/slack-installations.ts",
    find: "if (GONE.includes(why)) return",
    replace: "return",
    red: asking("Slack's words for an installation that is over are a list, and every other word ends nothing"),
  },
  {
    name: "runs of a workspace that is off the list go on",
    file: "src/runs/record/left.ts",
    find: "  if (installs.isAllowed({ id: there.id, enterprise })) return;\n",
    replace: "  if (enterprise !== undefined) return;\n",
    red: ends("a workspace that was taken off the list has its runs ended with that reason, once, and is still known"),
  },
  {
    name: "a request may name any organisation",
    file: "src/adapters/directory/slack-door.ts",
    find: "if (claimed.enterprise !== null && claimed.enterprise !== known.workspace.enterprise) {",
    replace: 'if (claimed.enterprise === "") {',
    red: atDoor("another organisation than its row's is not heard"),
  },
  {
    name: "an installation of a whole organisation speaks for its workspaces",
    file: "src/adapters/directory/slack-door.ts",
    find: "    if (claimed.orgWide) {",
    replace: '    if (claimed.workspace === "") {',
    red: atDoor("an installation of the whole organisation speaks for no workspace of it"),
  },
  {
    name: "a workspace whose tokens no key opens is nobody",
    file: "src/adapters/directory/slack-door.ts",
    find: 'known.opens ? "open" : "blocked"',
    replace: 'known.opens ? "open" : "shut"',
    red: atDoor("a workspace whose tokens no key opens is blocked"),
  },
  {
    name: "what came along with an installation is believed of its organisation",
    file: "src/adapters/directory/slack-installer.ts",
    find: "    if (!isAllowed(allowed, { id, enterprise })) return notAllowed();\n",
    replace: "",
    red: installing("what the token says of itself decides, and not what came along with it"),
  },
  {
    name: "a token that Slack gave and nobody kept may be read",
    file: "src/adapters/directory/slack-sealed.ts",
    find: "      meet(id, tokens);\n",
    replace: "",
    red: tokens("a token that Slack gave and the database did not take is known all the same"),
  },
  {
    name: "a refused person fills the notes",
    file: "src/runs/request/turned-away.ts",
    find: "  if ((await notes.keys(theirs, A_DAY_MOST)).length >= A_DAY_MOST) return;\n",
    replace: "",
    red: {
      file: "test/runs/decided.int.test.ts",
      test: "whoever is turned away again and again fills nothing, and hides nobody else's refusal",
    },
  },
];
