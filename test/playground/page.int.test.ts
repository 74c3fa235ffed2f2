import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch, noBrowser } from "#test/e2e/browser.ts";
import { openStage, type Stage, TOKEN } from "./stage.ts";

/** The page, by what a person sees and does: roles, labels and text only. */

const skipped = noBrowser();
let browser: Browser;
let stage: Stage;
let problems: string[];
beforeAll(async () => {
  if (!skipped) browser = await launch();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  problems = [];
  stage = await openStage({ banner: "demo: scripted model" });
  install();
});
afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
  await stage.close();
  expect(problems).toEqual([]);
});

const inBrowser = test.skipIf(skipped);

async function visit(at = "", options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(`${stage.url}/?token=${TOKEN}${at}`);
  await page.getByRole("radio", { name: /Ana/ }).waitFor();
  return page;
}

const plain = (text: string) => ({ type: "plain_text" as const, text });
const button = (action_id: string, text: string, more: object = {}) => ({
  type: "button" as const,
  action_id,
  text: plain(text),
  ...more,
});

function install(): void {
  const { bolt } = stage;
  bolt.event("app_mention", async ({ event, client }) => {
    await client.chat.postMessage({
      channel: event.channel,
      thread_ts: event.ts,
      text: "Run 1 waits for <!subteam^S0LEADS>.",
      blocks: [
        { type: "header", text: plain("Run 1 waits") },
        {
          type: "actions",
          elements: [
            button("approve", "Approve", { style: "primary" }),
            button("deny", "Deny", { style: "danger" }),
            button("stop", "Stop", {
              confirm: {
                title: plain("Stop run 1?"),
                text: plain("All of it."),
                confirm: plain("Stop it"),
                deny: plain("Keep going"),
              },
            }),
          ],
        },
      ],
    });
  });
  bolt.action("approve", async ({ ack, body, client }) => {
    await ack();
    if (body.type !== "block_actions" || body.container.type !== "message") return;
    const { channel_id: channel, thread_ts, message_ts: ts } = body.container;
    if (body.user.id === "U0ANA")
      await client.chat.postEphemeral({
        channel,
        thread_ts,
        user: "U0ANA",
        text: "You cannot approve your own request.",
      });
    else
      await client.chat.update({
        channel,
        ts,
        text: "Approved.",
        blocks: [{ type: "section", text: { type: "mrkdwn", text: `Approved by <@${body.user.id}>` } }],
      });
  });
  bolt.action("stop", async ({ ack }) => ack());
  bolt.action("deny", async ({ ack, body, client }) => {
    await ack();
    if (body.type !== "block_actions") return;
    const input = {
      type: "input" as const,
      block_id: "reason",
      label: plain("Why"),
      element: { type: "plain_text_input" as const, action_id: "t" },
    };
    const view = {
      type: "modal" as const,
      callback_id: "deny",
      title: plain("Deny run 1"),
      submit: plain("Deny it"),
      blocks: [input],
    };
    await client.views.open({ trigger_id: body.trigger_id, view });
  });
  bolt.view("deny", async ({ ack, view, client }) => {
    const reason = view.state.values.reason?.t?.value ?? "";
    if (reason.length < 5) return ack({ response_action: "errors", errors: { reason: "Say a little more." } });
    await ack();
    await client.chat.postMessage({ channel: "C0SHOP", text: `Denied: ${reason}` });
  });
}

inBrowser("asking, being refused, and being approved by another person work by keyboard alone", async () => {
  const page = await visit();
  await page.getByText("demo: scripted model").waitFor();
  await page.getByRole("button", { name: /Change the README/ }).press("Enter");
  await expect.poll(() => page.getByLabel("Message #shop as Ana").inputValue()).toContain("@agent replace");
  await page.keyboard.press("Enter");
  const thread = page.getByRole("complementary", { name: "Thread" });
  await thread.getByRole("button", { name: "Approve" }).press("Enter");
  await thread.getByText("You cannot approve your own request.").waitFor();
  await thread.getByText("Only visible to you").waitFor();
  await page.getByRole("radio", { name: /Ana/ }).focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => page.getByRole("radio", { name: /Bo/ }).isChecked()).toBe(true);
  expect(await page.evaluate("document.activeElement?.getAttribute('value')")).toBe("U0BO");
  expect(await thread.getByText("You cannot approve your own request.").count()).toBe(0);
  await thread.getByRole("button", { name: "Approve" }).press("Enter");
  await thread.getByText("Approved by").waitFor();
  expect(await thread.getByRole("button", { name: "Approve" }).count()).toBe(0);
  // The button went away under the finger: the focus is at its message, not at the top of the page.
  expect(await page.evaluate("document.activeElement?.tagName")).toBe("ARTICLE");
  expect(
    await page
      .context()
      .cookies()
      .then((all) => all.find((cookie) => cookie.name === "playground_user")?.value),
  ).toBe("U0BO");
  await page.keyboard.press("Escape");
  await expect.poll(() => thread.count()).toBe(0);
});

inBrowser("a modal shows the app's errors at their field and closes when the app is content", async () => {
  await stage.control("message", { channel: "C0SHOP", user: "U0ANA", text: "@agent go" });
  const page = await visit();
  await page.getByRole("radio", { name: /Bo/ }).check();
  await page.getByRole("button", { name: /1 reply/ }).click();
  await page.getByRole("button", { name: "Deny", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Deny run 1" });
  const why = dialog.getByLabel("Why");
  await dialog.getByRole("button", { name: "Deny it" }).click();
  await dialog.getByText("Please complete this required field.").waitFor();
  await why.fill("no");
  await dialog.getByRole("button", { name: "Deny it" }).click();
  await dialog.getByText("Say a little more.").waitFor();
  expect([await why.inputValue(), await why.getAttribute("aria-invalid")]).toEqual(["no", "true"]);
  await why.fill("after the sale");
  await why.press("Enter");
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("main").getByText("Denied: after the sale").waitFor();
});

inBrowser("a button that asks first does nothing when the answer is no", async () => {
  await stage.control("message", { channel: "C0SHOP", user: "U0ANA", text: "@agent go" });
  const page = await visit();
  await page.getByRole("button", { name: /1 reply/ }).click();
  const stop = page.getByRole("button", { name: "Stop", exact: true });
  await stop.click();
  await page.getByRole("dialog").getByRole("button", { name: "Keep going" }).click();
  await stop.click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop it" }).click();
  await stage.hears((heard) => heard.body.type === "block_actions");
  expect(stage.heard.filter((heard) => heard.body.type === "block_actions")).toHaveLength(1);
});

inBrowser("what people and agents write is text, never markup, and only web links are links", async () => {
  const page = await visit();
  await stage.control("message", {
    channel: "C0SHOP",
    user: "U0CY",
    text: '<img src=x onerror="document.title=1"> & `<b>`',
  });
  await stage.bolt.client.chat.postMessage({
    channel: "C0SHOP",
    text: "<javascript:alert(1)|press me> <https://example.com|fine>",
  });
  const room = page.getByRole("main");
  await room.getByText('<img src=x onerror="document.title=1"> &').waitFor();
  await room.getByText("press me").waitFor();
  expect(await room.getByRole("link", { name: "press me" }).count()).toBe(0);
  expect(await room.getByRole("link", { name: "fine" }).getAttribute("href")).toBe("https://example.com");
  expect(await room.locator("img").count()).toBe(0);
});

inBrowser("what one person has not read is marked for them, and read once they look", async () => {
  const page = await visit();
  await stage.control("message", { channel: "C0SITE", user: "U0CY", text: "@bo have a look" });
  await page.getByLabel("1 unread for Bo").waitFor();
  await page
    .getByRole("link", { name: /website/ })
    .getByLabel("unread", { exact: true })
    .waitFor();
  await page.getByRole("radio", { name: /Bo/ }).check();
  await page.getByRole("link", { name: /website/ }).click();
  await page.getByRole("main").getByText("have a look").waitFor();
  await expect.poll(() => page.getByLabel("1 unread for you").count()).toBe(0);
  await page.reload();
  await page.getByRole("main").getByText("have a look").waitFor();
  expect(await page.getByLabel("1 unread for you").count()).toBe(0);
});

inBrowser("a guest sees the one channel she is in", async () => {
  const page = await visit();
  await page.getByRole("radio", { name: /Dee/ }).check();
  await page.getByLabel("Message #website as Dee").waitFor();
  expect(await page.getByRole("navigation").getByRole("link").allInnerTexts()).toEqual(["website", "agent: Home"]);
});

inBrowser("an edit elsewhere takes neither the focus nor a draft away", async () => {
  const { client } = stage.bolt;
  const sent = await client.chat.postMessage({
    channel: "C0SHOP",
    text: "one",
    blocks: [{ type: "actions", elements: [button("stop", "Press")] }],
  });
  const page = await visit();
  await page.getByLabel("Message #shop as Ana").fill("half a thought");
  await page.getByRole("button", { name: "Press" }).focus();
  const blocks = [
    { type: "header" as const, text: plain("Edited card") },
    { type: "actions" as const, elements: [button("stop", "Press")] },
  ];
  await client.chat.update({
    channel: "C0SHOP",
    ts: String(sent.ts),
    text: "two",
    blocks: blocks.map((block, i) =>
      i === 1 ? { ...block, block_id: String(sent.message?.blocks?.[0]?.block_id) } : block,
    ),
  });
  await page.getByText("Edited card").waitFor();
  expect(await page.evaluate("document.activeElement?.textContent")).toBe("Press");
  expect(await page.getByLabel("Message #shop as Ana").inputValue()).toBe("half a thought");
});

inBrowser("who does not mention the agent reads that only people hear it", async () => {
  const page = await visit();
  const box = page.getByLabel("Message #shop as Ana");
  await box.fill("please fix the typo");
  await page.getByText("Only people read this. Begin with @agent to ask for work.").waitFor();
  await box.press("Enter");
  await page.getByRole("main").getByText("please fix the typo").waitFor();
  await box.fill("@agent go");
  await page.getByText("Enter sends. Shift and Enter starts a line.").waitFor();
  await box.press("Enter");
  await page.getByRole("complementary", { name: "Thread" }).getByText("Run 1 waits").first().waitFor();
});

inBrowser("a permalink opens its thread", async () => {
  const { body } = await stage.control("message", { channel: "C0SITE", user: "U0ANA", text: "@agent go" });
  await stage.playground.idle();
  const page = await visit();
  const { permalink } = await stage.bolt.client.chat.getPermalink({ channel: "C0SITE", message_ts: String(body.ts) });
  await page.goto(String(permalink));
  await page.getByRole("complementary", { name: "Thread" }).getByText("Run 1 waits").first().waitFor();
});

inBrowser("at phone width nothing is wider than the screen and the channels open from a button", async () => {
  await stage.control("message", { channel: "C0SHOP", user: "U0ANA", text: `@agent go ${"x".repeat(200)}` });
  const page = await visit("", { viewport: { width: 390, height: 844 } });
  await page.getByText("xxxx").first().waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
  await page.getByRole("button", { name: "Channels" }).click();
  await page.getByRole("link", { name: /data/ }).click();
  await page.getByLabel("Message #data as Ana").waitFor();
});

inBrowser("the app's Home is a page of its own, for each person another, and its buttons reach the app", async () => {
  const { bolt } = stage;
  const pressed: string[] = [];
  bolt.event("app_home_opened", async ({ event, client }) => {
    await client.views.publish({
      user_id: event.user,
      view: {
        type: "home",
        blocks: [
          { type: "section", text: { type: "mrkdwn", text: `Runs of <@${event.user}>` } },
          { type: "actions", elements: [button("home_stop", "Stop", { value: "run-1" })] },
        ],
      },
    });
  });
  bolt.action("home_stop", async ({ ack, body }) => {
    await ack();
    pressed.push(body.user.id);
  });
  const page = await visit();
  await page.getByRole("link", { name: "agent: Home" }).click();
  await page.getByText("Runs of @Ana").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect.poll(() => pressed).toEqual(["U0ANA"]);
  await page.getByRole("radio", { name: /Bo/ }).check({ force: true });
  await page.getByText("Runs of @Bo").waitFor();
  await page.reload();
  await page.getByText("Runs of @Bo").waitFor();
  await page.getByRole("link", { name: "shop" }).click();
  await page.getByRole("heading", { name: "shop" }).first().waitFor();
});

inBrowser(
  "a slash command is sent from the channel's box, its answer is seen by its person alone, and threads take none",
  async () => {
    stage.bolt.command("/agent", async ({ ack, command }) => ack(`You said ${command.text}`));
    const page = await visit();
    await page.getByLabel(/^Message #shop as Ana/).fill("/agent status of it");
    await page.keyboard.press("Enter");
    const said = page.getByRole("log", { name: "Messages in #shop" }).getByText("You said status of it");
    await said.waitFor();
    await page.getByRole("radio", { name: /Bo/ }).check({ force: true });
    await expect.poll(() => said.count()).toBe(0);
    await page.getByLabel(/^Message #shop as Bo/).fill("@agent hello");
    await page.keyboard.press("Enter");
    await page.getByLabel("Reply as Bo").fill("/agent status");
    await page.keyboard.press("Enter");
    await page.getByText("/agent does not work in threads").waitFor();
  },
);
