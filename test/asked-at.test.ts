import { expect, test } from "vitest";
import { slackAccess } from "#adapters/directory/slack-access.ts";
import { askedAt } from "#asked-at.ts";
import { Secret } from "#ports/secret.ts";
import type { Run } from "#runs/run.ts";
import { runPage } from "#surfaces/web/fold.ts";
import { renderRunPage } from "#surfaces/web/run-page.ts";
import { shopRun } from "#test/fixtures/run.ts";
import { eventsOf, waiting } from "#test/fixtures/run-events.ts";
import { BOT_ID, BOT_USER, slackDouble, WORKSPACE } from "#test/fixtures/slack/double.ts";

const place = (channel: string): Run["place"] => ({
  provider: "slack",
  workspace: WORKSPACE,
  channel,
  thread: "1700000000.000100",
});

/** Pages beside Slack's double, and how its clock goes on. */
function pagesBeside(o: { url?: string | null; fetch?: typeof globalThis.fetch } = {}) {
  const { url = "https://acme.slack.test" } = o;
  const slack = slackDouble();
  slack.channels.set("C0SITE", { id: "C0SITE", name: "website" });
  slack.channels.set("D0ANA", { id: "D0ANA", name: "ana", is_im: true });
  slack.channels.set("G0FEW", { id: "G0FEW", name: "mpdm-ana--bo-1", is_mpim: true });
  const { reads } = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-test"),
    slackApiUrl: "http://slack.test/api/",
    fetch: o.fetch ?? slack.fetch,
    log: () => {},
  });
  const clock = { ms: Date.UTC(2026, 10, 24) };
  const ofPlace = askedAt({
    of: async () => ({ reads, identity: { workspace: WORKSPACE, botUserId: BOT_USER, botId: BOT_ID, url } }),
    now: () => new Date(clock.ms),
    log: () => {},
    patienceMs: o.fetch === undefined ? 60_000 : 1,
  });
  const page = async (run: Partial<Run>) => {
    const at = await ofPlace({ place: place("C0SITE"), ticket: null, ...run });
    const context = { agentTitle: "", repoHref: null, now: new Date(clock.ms), place: at };
    const html = renderRunPage(runPage(shopRun(run), eventsOf(waiting), context));
    return /<b>Ana<\/b> in (.*?) ·/.exec(html)?.[1]?.replace(' rel="noreferrer"', "");
  };
  return { slack, clock, page, asked: () => slack.of("conversations.info").length };
}

test("a run's page names the channel where it was asked for, which is not called as its team", async () => {
  const { page } = pagesBeside();
  expect(await page({ team: "marketing", place: place("C0SITE") })).toBe(
    '<a href="https://acme.slack.test/archives/C0SITE/p1700000000000100">#website</a>',
  );
});

test.each([
  ["a direct message", "D0ANA"],
  ["a thread", "G0FEW"],
  ["a thread", "C0GONE"],
])("a run's page calls it %s where no channel's name is known (%s)", async (name, channel) => {
  const { page } = pagesBeside();
  const href = `https://acme.slack.test/archives/${channel}/p1700000000000100`;
  expect(await page({ place: place(channel) })).toBe(`<a href="${href}">${name}</a>`);
});

test("on the local page the way there is a path, and a workspace that never said its address has none", async () => {
  expect(await pagesBeside({ url: "" }).page({})).toBe('<a href="/archives/C0SITE/p1700000000000100">#website</a>');
  expect(await pagesBeside({ url: null }).page({})).toBe("#website");
});

test("a run that was asked for on a ticket leads there, and Slack is asked nothing", async () => {
  const { page, asked } = pagesBeside();
  const ticket = { id: "t1", name: "SHOP-12", url: "https://linear.test/acme/issue/SHOP-12" };
  const at = { provider: "linear", workspace: "o1", channel: "SHOP", thread: "s1" };
  expect(await page({ place: at, ticket })).toBe(`<a href="${ticket.url}">Linear SHOP-12</a>`);
  expect(await page({ place: at })).toBe("a thread");
  expect(asked()).toBe(0);
});

test("Slack is asked once for many pages, and where it did not say, not with each of them", async () => {
  const { slack, clock, page, asked } = pagesBeside();
  for (let n = 0; n < 5; n += 1, clock.ms += 5_000) await page({});
  expect(asked()).toBe(1);
  for (let n = 0; n < 5; n += 1, clock.ms += 5_000) await page({ place: place("C0NEW") });
  expect(asked()).toBe(2);
  slack.channels.set("C0NEW", { id: "C0NEW", name: "new" });
  clock.ms += 60_000;
  expect(await page({ place: place("C0NEW") })).toContain("#new");
  clock.ms += 10 * 60_000;
  slack.channels.set("C0SITE", { id: "C0SITE", name: "site" });
  expect(await page({})).toContain("#site");
});

test("a page does not wait for a Slack that says nothing", async () => {
  const { page } = pagesBeside({ fetch: () => new Promise(() => {}) });
  expect(await page({})).toContain(">a thread<");
});
