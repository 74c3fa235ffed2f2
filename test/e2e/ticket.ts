import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { CHECK_NAME } from "#adapters/repo-host/github/checks.ts";
import type { Message } from "#test/chaos/chat.ts";
import { headersOf, openPage, type Page, type Visitor } from "#test/chaos/page.ts";
import type { Published } from "#test/chaos/places.ts";
import { REACHED } from "#test/chaos/points.ts";
import type { Ended } from "#test/chaos/story.ts";
import { until } from "#test/chaos/until.ts";
import { anaSignsIn } from "#test/doubles/linear/sign-in.ts";
import { signIn } from "#test/doubles/slack/sign-in.ts";
import { type Outside, REPO } from "./outside.ts";
import { countersign } from "./product.ts";
import { signedIn } from "./signed-in.ts";

/** The moments of a ticket's way at which every surface is looked at, and something may be killed after that. */
export const STEPS = ["asked", "approved", "at work", "checking", "in review"] as const;
export type Step = (typeof STEPS)[number];

export interface Told extends Ended {
  readonly session: string;
}

const Pull = z.object({
  number: z.number(),
  draft: z.boolean(),
  state: z.string(),
  body: z.string(),
  head: z.object({ ref: z.string(), sha: z.string() }),
});
const CheckRuns = z.object({
  check_runs: z.array(
    z.object({ name: z.string(), head_sha: z.string(), status: z.string(), conclusion: z.string().nullable() }),
  ),
});
const NOTHING: Published = { branches: [], pulls: [] };
const STORY_MS = 120_000;

/**
 * A ticket from its delegation by Ana, over Bo's yes in Slack, to the pull request that he merges. At each step what the
 * ticket, the thread, the page and the forge say is held against each other; then the step's strike is made.
 */
export async function ticketStory(
  at: Outside,
  o: { title: string; line: string; strikes?: Partial<Record<Step, () => Promise<unknown>>> },
): Promise<Told> {
  const { linear, github, daytona, chat, house } = at;
  const strike = (step: Step) => o.strikes?.[step]?.();
  const issue = linear.issue("SHOP", o.title, `append "${o.line}" to README.md, then run \`sleep 3\``);
  const creates = () =>
    daytona.seen.filter(({ method, path: to }) => method === "POST" && to === "/api/sandbox").length;
  const before = creates();

  // Nobody knows yet whose account it is: what Ana asked for waits until she has shown it, and goes on by itself.
  const session = await linear.delegate(issue, "Ana");
  const heard = (fits: RegExp) => linear.sees(session.id, ({ content }) => fits.test(content.body ?? ""));
  expect((await linear.sees(session.id, () => true)).content).toMatchObject({
    type: "thought",
    body: expect.stringMatching(/^On it/),
  });
  const asksWho = async () => linear.everyActivity(session.id).some(({ signal }) => signal === "auth");
  const linked = async () => linear.outlineOf(session.id) !== null;
  await until("the ticket is followed, or asks who Ana is", async () => (await linked()) || (await asksWho()));
  if (await asksWho()) {
    const enter = async (to: string) =>
      (await signIn({ home: house.url, slack: at.slack.url, name: "Ana", to })).cookie;
    await anaSignsIn(chat, linear, enter);
    await heard(/linked with Ana in Slack/);
    await until("Ana hears of it in Slack, where nobody else does", async () =>
      /on Linear is linked with you/.test(JSON.stringify((await at.slack.control("messages/D0ANA")).body)),
    );
  }

  const question = await heard(/An answer on this ticket is no vote/);
  const links = linear.outlineOf(session.id)?.externalUrls ?? [];
  const runUrl = links.find(({ label }) => /^Run \d+$/.test(label))?.url ?? "";
  const runId = runUrl.slice(`${house.url}/runs/`.length);
  const roots = (await chat.messages("shop")).filter((one) => rooted(one) && says(one).includes(issue.identifier));
  expect(roots, "threads in the team's channel").toHaveLength(1);
  const thread = roots[0]?.ts ?? "";
  expect(question.content.body).toContain(`/C0SHOP/p${thread.replace(".", "")}`);
  expect(links.find(({ label }) => label === "Slack thread")?.url).toContain(`/C0SHOP/p${thread.replace(".", "")}`);

  const published = () => at.places.published(REPO);
  const status = async (fits: RegExp) =>
    until(`the thread says ${fits}`, async () =>
      (await chat.messages("shop")).some((one) => one.ts === thread && fits.test(one.text)),
    );
  const visitor = await signedIn(at, "Ana", runId);
  const page = openPage(visitor, runId);
  try {
    await page.until("it waits", ({ state }) => state === "waiting");
    await status(/waits for approval\. Waiting for/);
    await until("the card", async () => (await cards(at, thread)).length === 1);
    expect(linear.stateOf(issue)).toBe("SHOP-todo");
    expect(creates()).toBe(before);
    expect(await published()).toEqual(NOTHING);
    await ownVoteRefused(at, thread, page);
    await strike("asked");

    await chat.approveNext("shop", thread);
    await heard(/^Bo approved the start of this run in Slack/);
    await page.until("Bo's yes", REACHED.approved);
    await until("the card says who", async () => /Approved by Bo at/.test(await inThread(at, thread)));
    await status(/ is queued| prepares a sandbox| is at work/);
    expect(await published()).toEqual(NOTHING);
    await strike("approved");

    await page.until("a command runs", REACHED["command-running"], STORY_MS);
    await status(/is at work/);
    await linear.sees(session.id, ({ content }) => content.action === "Prepared");
    expect(creates()).toBe(before + 1);
    expect(linear.stateOf(issue)).toBe("SHOP-progress");
    expect(await published()).toEqual(NOTHING);
    await strike("at work");

    await page.until("the checks", REACHED.checking, STORY_MS);
    await nothingBefore(page, published);
    // The thread may be drawn once for several moves, never behind what the page has shown.
    await status(/ runs the checks| opens the pull request| waits for a review/);
    await linear.sees(session.id, ({ content }) => content.action === "Committed");
    await strike("checking");

    await page.until("a pull request", ({ state }) => state === "in review", STORY_MS);
    const pull = await draftOf(at, { runUrl, ticket: issue });
    const url = `${github.url}/${REPO}/pull/${pull.number}`;
    expect(await published()).toEqual({
      branches: [`${pull.head.ref} ${pull.head.sha}`],
      pulls: [`${pull.number} ${pull.head.ref} ${pull.head.sha}`],
    });
    expect(await checkOn(at, pull.head.sha)).toEqual([{ status: "completed", conclusion: "success" }]);
    await status(/waits for a review/);
    await until("the receipt's message", async () => (await inThread(at, thread)).includes(url));
    expect((await heard(/^Draft pull request .* waits for a review\. We never merge/)).content.body).toContain(url);
    await until("the pull request on the ticket", () =>
      linear.attachments.some((one) => one.url === url && one.issue === issue.id),
    );
    expect(
      linear
        .outlineOf(session.id)
        ?.externalUrls.map(({ label }) => label)
        .slice(1),
    ).toEqual(["Slack thread", `Pull request #${pull.number}`]);
    await strike("in review");

    await github.merge(REPO, pull.number, "bo");
    await page.until("the merge", ({ state }) => state === "merged", STORY_MS);
    const settled = await github.as("bo")("GET", `/repos/${REPO}/pulls/${pull.number}`);
    expect(settled).toMatchObject({ state: "closed", merged: true, merged_by: { login: "bo" } });
    await status(/was merged/);
    await until("the thread says who", async () => /bo merged pull request/.test(await inThread(at, thread)));
    await heard(/^bo merged pull request/);
    await expectReceipt(visitor, runUrl, pull.head.sha);
    return { team: "shop", thread, runId, state: "merged", session: session.id };
  } finally {
    await page.close();
  }
}

/** What a session was told when all is over: one answer of each kind, and nothing twice. */
export function expectOneAnswer({ linear }: Outside, { session }: Told): void {
  const told = linear.activitiesOf(session).map(({ content }) => content);
  const answers = told.filter(({ type }) => type === "response").map(({ body }) => body);
  expect(answers).toEqual([
    expect.stringMatching(/^Draft pull request .* waits for a review\. We never merge/),
    expect.stringMatching(/^bo merged pull request/),
  ]);
  const words = told.map((content) => JSON.stringify(content));
  expect(words).toEqual([...new Set(words)]);
  expect(linear.attachments.filter(({ url }) => url.startsWith("http"))).toHaveLength(1);
}

/** Ana asked on the ticket, under another account than the one that presses: she is still the one who asked. */
async function ownVoteRefused(at: Outside, thread: string, page: Page): Promise<void> {
  await at.chat.approve("shop", thread, "U0ANA");
  await until("Ana is told why her answer does not count", async () =>
    (await at.chat.messages("shop")).some(
      (one) => one.is_ephemeral && /so your own answer does not count/.test(says(one)),
    ),
  );
  expect(page.seen.state).toBe("waiting");
  expect(await cards(at, thread)).toHaveLength(1);
}

/** The forge has nothing of the run's while it is checked. Where it has, the run has gone on since the page told. */
async function nothingBefore(page: Page, published: () => Promise<Published>): Promise<void> {
  const there = await published();
  const { state } = await page.look();
  if (state === "checking") expect(there).toEqual(NOTHING);
  else expect(["publishing", "in review"]).toContain(state);
}

/** The check run that a branch rule would require. */
async function checkOn({ github }: Outside, commit: string) {
  const told = await github.as("bo")("GET", `/repos/${REPO}/commits/${commit}/check-runs`);
  const { check_runs } = CheckRuns.parse(told);
  return check_runs
    .filter(({ name, head_sha }) => name === CHECK_NAME && head_sha === commit)
    .map(({ status, conclusion }) => ({ status, conclusion }));
}

/** The one draft of the run: whose it is, on what it rests, and where it came from. */
async function draftOf(at: Outside, of: { runUrl: string; ticket: { identifier: string; url: string } }) {
  const { github } = at;
  const all = z.array(Pull).parse(await github.as("bo")("GET", `/repos/${REPO}/pulls?state=all&per_page=100`));
  const mine = all.filter(({ body }) => body.includes(of.runUrl));
  expect(mine, "pull requests of the run").toHaveLength(1);
  const pull = Pull.parse(mine[0]);
  expect(pull).toMatchObject({ draft: true, state: "open" });
  expect(pull.body).toContain("| Receipt | signed by `ed25519:");
  expect(pull.body).toContain(`${of.runUrl}/receipt.json`);
  expect(pull.body).toContain(`[${of.ticket.identifier}](${of.ticket.url})`);
  expect(pull.body).toMatch(/\| Asked by \| Ana, for shop \|/);
  expect(pull.body).toMatch(/\| Approved by \| Bo \(start\)/);
  expect(pull.head.sha).toBe(await github.branch(REPO, pull.head.ref));
  return pull;
}

/** As somebody who has nothing but the receipt's file. */
async function expectReceipt(visitor: Visitor, runUrl: string, commit: string): Promise<void> {
  const answer = await fetch(`${runUrl}/receipt.json`, { headers: headersOf(visitor) });
  const receipt = await answer.text();
  expect(answer.status, receipt).toBe(200);
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-receipt-"));
  try {
    const file = path.join(folder, "receipt.json");
    writeFileSync(file, receipt);
    const { code, output } = await countersign("receipt", "verify", file);
    expect(output).toMatch(new RegExp(`^valid: ${REPO}\\b.* at ${commit}\\nsigned by ed25519:`));
    expect(code).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const says = (message: Message): string => JSON.stringify(message);
const rooted = ({ ts, thread_ts }: Message): boolean => thread_ts === undefined || thread_ts === ts;
const messagesIn = async ({ chat }: Outside, thread: string) =>
  (await chat.messages("shop")).filter((one) => one.ts === thread || one.thread_ts === thread);
const inThread = async (at: Outside, thread: string) => JSON.stringify(await messagesIn(at, thread));
/** Messages with a question that is open. */
const cards = async (at: Outside, thread: string) =>
  (await messagesIn(at, thread)).filter((one) => says(one).includes('"action_id":"approve"'));
