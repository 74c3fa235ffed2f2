import type { Mutation } from "./mutation.ts";

const installing = (test: string) => ({ file: "test/surfaces/slack/install.int.test.ts", test });
const tokens = (test: string) => ({ file: "test/adapters/slack-tokens.int.test.ts", test });
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
    file: "src/adapters/directory/slack-tokens.ts",
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
    file: "src/adapters/directory/slack-installer.ts",
    find: "if (!isAllowed(allowed, { id: workspace.id, enterprise }))",
    replace: "if (!isAllowed([workspace.id, ...allowed], { id: workspace.id, enterprise }))",
    red: installing("a workspace that is not in the list is told so, and the app is taken out of it again"),
  },
  {
    name: "a workspace that has not installed the app is heard",
    file: "src/surfaces/slack/receiver.ts",
    find: "    if (!(await installed(sorted.delivery.body))) return undefined;\n",
    replace: "",
    red: left("what comes from a workspace that has not installed us is answered, and neither kept nor heard"),
  },
  {
    name: "any bot's revoked token is the workspace's farewell",
    file: "src/surfaces/slack/app.ts",
    find: "(left.bots !== null && desk !== null && !left.bots.includes(desk.identity.botUserId))",
    replace: "(left.bots !== null && desk === null)",
    red: left("the bot's token that is revoked is the same; a person's, or another bot's, is nothing to us"),
  },
];
