import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { stores } from "#db/stores.ts";
import type { AuditLine } from "#ports/gateway.ts";
import { brokenAt } from "#runs/chain.ts";
import type { EventBody, RunEvent } from "#runs/event.ts";
import { verifyEnvelope } from "#runs/receipt.ts";
import { eventsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import type { RunState } from "#runs/state.ts";
import type { Chat, Message } from "./chat.ts";
import { onThisMachine, type Places } from "./places.ts";
import type { Installation } from "./product.ts";
import type { Ended } from "./story.ts";
import { until } from "./until.ts";
import { gatewayOf, survivors } from "./victims.ts";

type Kind = EventBody["kind"];

/** Bodies of one kind, in order. */
export const only = <K extends Kind>(bodies: readonly EventBody[], kind: K): Extract<EventBody, { kind: K }>[] =>
  bodies.filter((body): body is Extract<EventBody, { kind: K }> => body.kind === kind);

/** A run and all that was kept of it, read after the product has stopped. */
export interface Kept {
  readonly run: Run;
  readonly events: readonly RunEvent[];
  readonly bodies: readonly EventBody[];
  /** The signed receipt as it was posted; `null` when there is none. */
  readonly receipt: string | null;
}

/**
 * What must hold when everything is over, whatever was killed: each run has one thread with one message of each kind,
 * one branch, one pull request and one bill; nothing of it runs, and the record holds. Stops the product and returns
 * the record for what a test wants to know beyond that.
 */
export async function expectOneOfEverything(
  house: Installation,
  chat: Chat,
  played: readonly Ended[],
  o: {
    cleanWithinMs?: number;
    /** Where its sandboxes and repositories are. Default: on this machine. */
    places?: Places;
  } = {},
): Promise<readonly Kept[]> {
  const places = o.places ?? onThisMachine(house.dataDir);
  const threads = new Map<string, readonly Message[]>();
  for (const one of played) {
    threads.set(
      one.runId,
      await until(`the thread of run ${one.runId} has said everything`, async () => {
        const thread = (await chat.messages(one.team)).filter((message) =>
          [message.thread_ts, message.ts].includes(one.thread),
        );
        return isComplete(thread, one) ? thread : null;
      }),
    );
  }
  await until(
    "every sandbox is gone",
    () => places.sandboxes().length === 0 && leftRunning(house).length === 0,
    o.cleanWithinMs ?? 60_000,
  ).catch((cause: unknown) => {
    throw new Error(`left behind: ${[...places.sandboxes(), ...leftRunning(house)].join("; ")}`, { cause });
  });
  await house.stop();

  const { kept, cursor, sandboxKeys } = await recordOf(house, played);
  const ids = sandboxKeys.map((key) => `sb_${createHash("sha256").update(key).digest("hex").slice(0, 20)}`);
  expect(survivors(house.dataDir, ids, [])).toEqual([]);
  expect(workspacesOf(house.dataDir, ids)).toEqual([]);
  const lines = linesUpTo(house.dataDir, cursor);
  for (const [index, one] of kept.entries()) {
    const how = played[index];
    if (!how) throw new Error("a run was read that nobody played");
    expectOneThread(threads.get(one.run.id) ?? [], one, how);
    expectOneBill(one, lines);
    expect(brokenAt(one.run.id, one.events)).toBe(null);
    if (isPublished(one.run.state)) expectOnePublication(one);
  }
  await expectOnePullRequestEach(places, kept);
  return kept;
}

const leftRunning = (house: Installation): string[] =>
  survivors(
    house.dataDir,
    [],
    [house.first.pid(), house.second?.pid(), gatewayOf(house.dataDir)?.pid].filter(
      (pid) => pid !== null && pid !== undefined,
    ),
  );

/** Whether its pull request is there, and what the thread of such a run says last. */
const isPublished = (state: RunState): boolean => state === "in_review" || state === "merged";
const endings = (state: string): readonly string[] =>
  state === "in_review" ? ["receipt"] : state === "merged" ? ["receipt", "forge"] : ["outcome"];

const kindOf = (message: Message): string => message.metadata?.event_payload.key.split(":")[2] ?? "unnamed";

function isComplete(thread: readonly Message[], one: Ended): boolean {
  const kinds = thread.map(kindOf);
  const status = thread.find((message) => kindOf(message) === "status");
  return (
    endings(one.state.replace(" ", "_")).every((kind) => kinds.includes(kind)) &&
    status !== undefined &&
    !/Say stop in the thread/.test(status.text) &&
    !JSON.stringify(thread).includes('"action_id":"approve"')
  );
}

async function recordOf(house: Installation, played: readonly Ended[]) {
  const database = await openDatabase(house.databaseUrl);
  try {
    const all = stores(database, { orgId: await ensureOrg(database.db, "default") });
    const kept: Kept[] = [];
    const sandboxKeys: string[] = [];
    for (const { runId } of played) {
      const run = await all.runs.get(runId);
      if (!run) throw new Error(`run ${runId} is not in the database`);
      const events = await eventsOf({ stores: all }, runId);
      const receipt = await all.receipts.get(runId);
      kept.push({ run, events, bodies: events.map((event) => event.body), receipt });
      sandboxKeys.push(...(await all.sandboxes.ofRun(runId)).map((row) => row.key));
      const open = (await all.sandboxes.ofRun(runId)).filter((row) => row.state !== "gone");
      expect(open, `sandboxes that run ${run.number} still counts as its own`).toEqual([]);
    }
    return { kept, sandboxKeys, cursor: await all.cursors.get("gateway:audit") };
  } finally {
    await database.close();
  }
}

/** One status, one card per question, one ending; nothing of ours without a name, and nothing twice. */
function expectOneThread(thread: readonly Message[], { run, bodies }: Kept, how: Ended): void {
  // What a person asked in chat is not ours; of a run from elsewhere the thread begins with our own message.
  const ours = thread.filter((message) => !message.is_ephemeral && (message.ts !== how.thread || message.metadata));
  const asked = only(bodies, "approval.opened").map((event) => `approval:${event.approval}`);
  const keys = ours.map((message) => message.metadata?.event_payload.key ?? message.text);
  const expected = ["status", ...asked, ...endings(run.state)].map((kind) => `slack:${run.id}:${kind}`);
  expect([...keys].sort(), `the messages of run ${run.number}`).toEqual(expected.sort());
}

/** The journal's lines that the record has taken in. */
function linesUpTo(dataDir: string, cursor: number): AuditLine[] {
  const text = readFileSync(path.join(dataDir, "gateway", "audit.jsonl"))
    .subarray(0, cursor)
    .toString("utf8");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as AuditLine]));
}

const KINDS = {
  egress: "egress.decided",
  closed: "egress.closed",
  model: "model.called",
  push: "push.decided",
} as const;

/** The record's bill is the gateway's: every line once, none lost, none twice, and the receipt says the same sum. */
function expectOneBill({ run, bodies }: Kept, lines: readonly AuditLine[]): void {
  const mine = lines.filter((line) => line.run === run.id);
  const billed = mine.flatMap((line) => (line.kind === "model" ? [{ ...line.usage, ms: line.durationMs }] : []));
  const called = only(bodies, "model.called").map((call) => ({
    usd: call.usd,
    inputTokens: call.inputTokens,
    cachedTokens: call.cachedTokens,
    outputTokens: call.outputTokens,
    calls: 1,
    ms: call.durationMs,
  }));
  expect(called, `the bill of run ${run.number}`).toEqual(billed);
  // Two empty bills are equal too; whoever came to a pull request has called the model.
  if (isPublished(run.state)) expect(billed.length, `calls billed to run ${run.number}`).toBeGreaterThan(0);
  for (const [line, event] of Object.entries(KINDS)) {
    const [told, kept] = [
      mine.filter((one) => one.kind === line).length,
      bodies.filter((one) => one.kind === event).length,
    ];
    expect(kept, `${event} of run ${run.number}`).toBe(told);
  }
}

/** Each act was recorded once; each question was answered once, though every click came twice. */
function expectOnePublication({ run, bodies, receipt }: Kept): void {
  expect(only(bodies, "branch.pushed")).toHaveLength(1);
  expect(only(bodies, "pull_request.opened")).toHaveLength(1);
  expect(only(bodies, "checks.reported")).toHaveLength(1);
  expect(only(bodies, "receipt.signed")).toHaveLength(1);
  expect(only(bodies, "run.moved").filter((move) => move.to === "in_review")).toHaveLength(1);
  for (const asked of only(bodies, "approval.opened")) {
    const votes = only(bodies, "approval.voted").filter((vote) => vote.approval === asked.approval);
    expect(votes, `votes on ${asked.approval}`).toHaveLength(1);
  }
  const verified = verifyEnvelope(receipt ?? "");
  if (!verified.ok) throw new Error(`the receipt of run ${run.number}: ${verified.problem}`);
  const calls = only(bodies, "model.called");
  expect(calls.length, `calls on the receipt of run ${run.number}`).toBeGreaterThan(0);
  const usd = Math.round(calls.reduce((sum, call) => sum + call.usd, 0) * 1e6) / 1e6;
  expect(verified.receipt.predicate.spent, `the receipt's bill of run ${run.number}`).toMatchObject({
    calls: calls.length,
    usd,
  });
}

/** There is one branch and one pull request of each run that was published, at the commit that was checked; no other. */
async function expectOnePullRequestEach(places: Places, kept: readonly Kept[]): Promise<void> {
  for (const repo of new Set(kept.map(({ run }) => run.repo))) {
    const { branches, pulls } = await places.published(repo);
    const runs = kept.map(({ run }) => run).filter((run) => run.repo === repo && run.pullRequest !== null);
    expect([...branches].sort(), `agent branches of ${repo}`).toEqual(
      runs.map((run) => `${run.branch} ${run.headOid}`).sort(),
    );
    expect([...pulls].sort(), `pull requests of ${repo}`).toEqual(
      runs.map((run) => `${run.pullRequest?.number} ${run.branch} ${run.headOid}`).sort(),
    );
  }
}

/** Work folders of these sandboxes that are still on the disk. */
function workspacesOf(dataDir: string, ids: readonly string[]): string[] {
  const roots = ["/var/lib/countersign", path.join(dataDir, "sandboxes", ".shared")];
  return roots.flatMap((root) => {
    const work = path.join(root, "work");
    if (!existsSync(work)) return [];
    return readdirSync(work).filter((name) => ids.some((id) => name.startsWith(id)));
  });
}
