import { expect, test } from "vitest";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { slackDirectory } from "#adapters/directory/slack.ts";
import { slackAccess, slackIdentity } from "#adapters/directory/slack-access.ts";
import { DirectoryUnavailable } from "#ports/directory.ts";
import { Secret } from "#ports/secret.ts";
import { directoryContract } from "#test/contracts/directory.ts";
import { type SlackDouble, slackDouble, slackUser, WORKSPACE } from "#test/fixtures/slack/double.ts";

const access = (double: SlackDouble) =>
  slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-test"),
    slackApiUrl: "http://slack.test/api/",
    fetch: double.fetch,
    log: () => {},
  });

directoryContract("memory", () => {
  const directory = memoryDirectory();
  return {
    directory,
    workspace: WORKSPACE,
    put: directory.put,
    group: directory.group,
    channel: directory.channel,
    cut: () => directory.fail("the network is down"),
    later: () => {},
  };
});

directoryContract("slack", () => {
  const double = slackDouble();
  let now = 0;
  const directory = slackDirectory({ client: access(double).reads, workspace: WORKSPACE, now: () => now });
  return {
    directory,
    workspace: WORKSPACE,
    put: (account) => void double.users.set(account.id, slackUser(account)),
    group: (ref, members) => {
      if ("slack_usergroup" in ref) double.groups.set(ref.slack_usergroup, members);
    },
    channel: (id, members) => void double.members.set(id, members),
    cut: () => {
      double.fail("conversations.members", { lost: "before" }, 10);
      double.fail("users.info", { lost: "before" }, 10);
      double.fail("usergroups.users.list", { lost: "before" }, 10);
    },
    later: () => {
      now += 30_001;
    },
  };
});

function slackWorld(cacheMs?: number) {
  const double = slackDouble();
  const clock = { now: 0 };
  const directory = slackDirectory({
    client: access(double).reads,
    workspace: WORKSPACE,
    now: () => clock.now,
    ...(cacheMs === undefined ? {} : { cacheMs }),
  });
  return { double, clock, directory };
}

const kindOf = async (user: Readonly<Record<string, unknown>>) => {
  const { double, directory } = slackWorld();
  double.users.set("U0X", { id: "U0X", team_id: WORKSPACE, profile: {}, ...user });
  return (await directory.account({ provider: "slack", workspace: WORKSPACE, id: "U0X" }))?.kind;
};

test.each([
  ["a multi-channel guest", { is_restricted: true }, "guest"],
  ["a single-channel guest", { is_ultra_restricted: true }, "guest"],
  ["an invitation nobody confirmed", { is_email_confirmed: false }, "guest"],
  ["a stranger from Slack Connect", { is_stranger: true }, "external"],
  ["a person of another workspace", { team_id: "T0OTHER" }, "external"],
  ["a person whose workspace is not said", { team_id: undefined }, "external"],
  ["a colleague in the same enterprise", { team_id: "T0OTHER", enterprise_user: { teams: [WORKSPACE] } }, "member"],
  ["a deactivated guest", { deleted: true, is_restricted: true }, "deactivated"],
  ["a workflow", { is_workflow_bot: true }, "bot"],
] as const)("%s is no full member unless Slack says so", async (_who, user, kind) => {
  expect(await kindOf(user)).toBe(kind);
});

test("Slackbot is a bot although Slack does not mark it", async () => {
  const { double, directory } = slackWorld();
  double.users.set("USLACKBOT", { id: "USLACKBOT", team_id: WORKSPACE, is_bot: false });
  expect((await directory.account({ provider: "slack", workspace: WORKSPACE, id: "USLACKBOT" }))?.kind).toBe("bot");
});

test("one click's questions about one group are one call, also at the same moment", async () => {
  const { double, directory } = slackWorld();
  double.groups.set("S0LEADS", ["U0BO"]);
  await Promise.all([1, 2, 3].map(() => directory.members({ slack_usergroup: "S0LEADS" }, WORKSPACE)));
  expect(double.of("usergroups.users.list")).toHaveLength(1);
});

test("no cache setting can hold an answer longer than five seconds", async () => {
  const { double, clock, directory } = slackWorld(60_000);
  double.groups.set("S0LEADS", ["U0BO"]);
  await directory.members({ slack_usergroup: "S0LEADS" }, WORKSPACE);
  clock.now = 5_001;
  await directory.members({ slack_usergroup: "S0LEADS" }, WORKSPACE);
  expect(double.of("usergroups.users.list")).toHaveLength(2);
});

test("who is in a channel is asked again after half a minute, and of no other provider's channel", async () => {
  const { double, clock, directory } = slackWorld();
  double.members.set("C0SHOP", ["U0BO"]);
  const look = (provider = "slack", workspace = WORKSPACE) =>
    directory.channelMembers({ provider, workspace, id: "C0SHOP" });
  for (const at of [0, 29_999, 30_001]) {
    clock.now = at;
    await look();
  }
  expect(double.of("conversations.members")).toHaveLength(2);
  await expect(look("linear")).rejects.toThrow(DirectoryUnavailable);
  await expect(look("slack", "T0OTHER")).rejects.toThrow(DirectoryUnavailable);
});

test("a failure is not remembered: the next look asks again", async () => {
  const { double, directory } = slackWorld();
  double.groups.set("S0LEADS", ["U0BO"]);
  double.fail("usergroups.users.list", { retryAfterSec: 30 });
  const look = () => directory.members({ slack_usergroup: "S0LEADS" }, WORKSPACE);
  await expect(look()).rejects.toThrow(DirectoryUnavailable);
  expect(await look()).toHaveLength(1);
});

test("an answer about somebody else is no answer", async () => {
  const { double, directory } = slackWorld();
  double.users.set("U0X", { id: "U0Y", team_id: WORKSPACE });
  await expect(directory.account({ provider: "slack", workspace: WORKSPACE, id: "U0X" })).rejects.toThrow(
    DirectoryUnavailable,
  );
});

test("an address is the full member's who has it, and a guest's, a stranger's or nobody's is no answer", async () => {
  const users = new Map<string, Readonly<Record<string, unknown>>>([
    ["ana@acme.dev", { id: "U0ANA" }],
    ["dee@acme.dev", { id: "U0DEE", is_restricted: true }],
    ["new@acme.dev", { id: "U0NEW", is_email_confirmed: false }],
  ]);
  const { urgent } = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-test"),
    slackApiUrl: "http://slack.test/api/",
    fetch: async (url, init) => {
      expect(String(url)).toBe("http://slack.test/api/users.lookupByEmail");
      const email = new URLSearchParams(String(init?.body)).get("email") ?? "";
      const user = users.get(email);
      if (user === undefined) return Response.json({ ok: false, error: "users_not_found" });
      return Response.json({ ok: true, user: { team_id: WORKSPACE, profile: { email }, ...user } });
    },
    log: () => {},
  });
  const directory = slackDirectory({ client: urgent, workspace: WORKSPACE });
  const of = (email: string) => directory.members({ email }, WORKSPACE);
  expect(await of("ana@acme.dev")).toEqual([{ provider: "slack", workspace: WORKSPACE, id: "U0ANA" }]);
  for (const email of ["dee@acme.dev", "new@acme.dev", "nobody@acme.dev"]) {
    await expect(of(email)).rejects.toThrow(DirectoryUnavailable);
  }
});

test("a question that got no answer is asked once more, and one that was answered is not", async () => {
  const { double, directory } = slackWorld();
  double.groups.set("S0LEADS", ["U0BO"]);
  const members = () => directory.members({ slack_usergroup: "S0LEADS" }, WORKSPACE);
  const asked = () => double.calls.filter(({ method }) => method === "usergroups.users.list").length;
  double.fail("usergroups.users.list", { lost: "before" }, 1);
  expect(await members()).toEqual([{ provider: "slack", workspace: WORKSPACE, id: "U0BO" }]);
  expect(asked()).toBe(2);
  double.groups.delete("S0LEADS");
  const other = directory.members({ slack_usergroup: "S0GONE" }, WORKSPACE);
  await expect(other).rejects.toThrow(DirectoryUnavailable);
  expect(asked()).toBe(3);
});

test("Slack says who we are", async () => {
  expect(await slackIdentity(access(slackDouble()).urgent)).toEqual({
    workspace: "T0LOCAL",
    botUserId: "U0AGENT",
    botId: "B0AGENT",
    url: "https://acme.slack.com",
    enterprise: null,
    orgWide: false,
  });
});
