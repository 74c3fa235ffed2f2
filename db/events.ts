import { createHash } from "node:crypto";
import type { Tx } from "#ports/store.ts";
import { link } from "#runs/chain.ts";
import type { EventBody, RunEvent } from "#runs/event.ts";
import { Fenced, type RunId } from "#runs/run.ts";
import type { EventStore } from "#runs/stores.ts";
import { and, asc, desc, eq, gt, gte, sql } from "./drizzle.ts";
import { holdRun } from "./fence.ts";
import type { Database } from "./open.ts";
import { installationHeads, runEvents, runHeads } from "./schema/record.ts";
import { addSpending } from "./spending.ts";
import { asDb, type Db, outside, reading, rows } from "./store.ts";

export function eventStore(database: Database, orgId: string): EventStore {
  const { db } = database;
  const { runId: id, at, body, hash } = runEvents;
  const after = reading(db)
    .select({ runId: id, seq: runEvents.seq, at, body, hash })
    .from(runEvents)
    .where(and(eq(id, sql.placeholder("runId")), gt(runEvents.seq, sql.placeholder("seq"))))
    .orderBy(asc(runEvents.seq))
    .limit(sql.placeholder("limit"))
    .prepare("events_after");
  return {
    append,
    async after(runId, seq, limit) {
      outside(db);
      return after.execute({ runId, seq, limit });
    },
    async spent(runIds) {
      if (runIds.length === 0) return new Map();
      // First by their text: reading a body as JSON fails on what agents print, and only ours are of this kind.
      const found = await reading(db).execute(sql`
        with called as materialized (
          select run_id, body from run_events
          where run_id in ${runIds} and strpos(body::text, '"kind":"model.called"') > 0
        )
        select run_id, sum((body->>'usd')::float8) as usd,
          sum((body->>'inputTokens')::float8 + (body->>'outputTokens')::float8) as tokens
        from called where body->>'kind' = 'model.called' group by run_id`);
      return new Map(
        rows<{ run_id: RunId; usd: number; tokens: number }>(found).map(({ run_id, usd, tokens }) => [
          run_id,
          { usd: Number(usd), tokens: Number(tokens) },
        ]),
      );
    },
    changes: (signal) => changes(database, signal),
    seal: (tx, runId) => seal(tx, orgId, runId),
  };
}

async function append(
  tx: Tx,
  runId: RunId,
  epoch: number | null,
  bodies: readonly EventBody[],
): Promise<readonly RunEvent[]> {
  if (bodies.length === 0) return [];
  const to = asDb(tx);
  await holdRun(to, { id: runId, epoch });
  const head = await headOf(to, runId);
  if (epoch !== null && epoch < head.epoch) {
    throw new Fenced(`The record of run ${runId} is at epoch ${head.epoch}; this worker holds ${epoch}.`);
  }
  let { seq, hash } = head;
  const events = bodies.map((body): RunEvent => {
    seq += 1;
    hash = link(hash, seq, head.at, body);
    return { runId, seq, at: head.at, body, hash };
  });
  // One statement, and by hand: every step of every run comes through here.
  const values = events.map(
    (event) =>
      sql`(${head.orgId}::uuid, ${runId}::uuid, ${event.seq}::int, ${head.at.toISOString()}::timestamptz, ${event.hash}, ${JSON.stringify(event.body)}::json)`,
  );
  await to.execute(sql`
    with added as (
      insert into run_events (org_id, run_id, seq, at, hash, body) values ${sql.join(values, sql`, `)}
    ), moved as (
      update run_heads set seq = ${seq}, hash = ${hash}, at = ${head.at.toISOString()}::timestamptz
      where run_id = ${runId} returning run_id
    )
    select pg_notify('countersign_events', run_id::text) from moved`);
  await addSpending(to, runId, head.at, bodies);
  toldOf(to).add(runId);
  heads.get(to)?.set(runId, { ...head, seq, hash });
  return events;
}

interface Head {
  readonly orgId: string;
  readonly seq: number;
  readonly hash: string;
  readonly epoch: number;
  readonly at: Date;
}

/** Heads as this transaction left them: it holds their rows, and appends several times. */
const heads = new WeakMap<Db, Map<RunId, Head>>();

async function headOf(db: Db, runId: RunId): Promise<Head> {
  const known = heads.get(db) ?? new Map<RunId, Head>();
  heads.set(db, known);
  const [head] = known.has(runId)
    ? [known.get(runId)]
    : await db
        .select({
          orgId: runHeads.orgId,
          seq: runHeads.seq,
          hash: runHeads.hash,
          epoch: runHeads.epoch,
          // Not before the last event: a clock that was set back must not tangle the record.
          at: sql`greatest(${runHeads.at}, date_trunc('milliseconds', clock_timestamp()))`.mapWith(runHeads.at),
        })
        .from(runHeads)
        .where(eq(runHeads.runId, runId))
        .for("update");
  if (!head) throw new Error(`Run ${runId} has no record.`);
  return head;
}

/** The head of a run that this transaction has made. */
export function startHead(db: Db, runId: RunId, head: Head): void {
  heads.set(db, (heads.get(db) ?? new Map<RunId, Head>()).set(runId, head));
}

/** Runs of which watchers will hear when a transaction commits: Postgres tells the same thing once, asked or not. */
const told = new WeakMap<Db, Set<RunId>>();

function toldOf(db: Db): Set<RunId> {
  const runs = told.get(db) ?? new Set<RunId>();
  told.set(db, runs);
  return runs;
}

/**
 * Tells watchers when `db` commits; the same run twice in one transaction is told once. `null`: something that belongs to
 * no run, told under no id.
 */
export async function announce(db: Db, runId: RunId | null): Promise<void> {
  const id = runId ?? "";
  if (toldOf(db).has(id)) return;
  await db.execute(sql`select pg_notify('countersign_events', ${id})`);
  toldOf(db).add(id);
}

/** Ids in the order of commits, from this call on; an id that waits to be read is not queued twice. */
function changes(database: Database, signal: AbortSignal): AsyncIterable<RunId> {
  const waiting = new Set<RunId>();
  let wake = () => {};
  const add = (runId: RunId) => {
    waiting.add(runId);
    wake();
  };
  const off = database.on("countersign_events", {
    notified: add,
    missed(from) {
      changedSince(database.db, from).then((ids) => ids.forEach(add), database.onError);
    },
  });
  signal.addEventListener("abort", () => {
    off();
    wake();
  });
  return (async function* read() {
    while (!signal.aborted) {
      const [next] = waiting;
      if (next !== undefined) {
        waiting.delete(next);
        yield next;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  })();
}

async function changedSince(db: Db, from: Date): Promise<RunId[]> {
  const rows = await db.select({ runId: runHeads.runId }).from(runHeads).where(gte(runHeads.at, from));
  return rows.map((row) => row.runId);
}

async function seal(tx: Tx, orgId: string, runId: RunId): Promise<{ readonly seq: number; readonly hash: string }> {
  const to = asDb(tx);
  const place = { seq: installationHeads.seq, hash: installationHeads.hash };
  await to.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`seal/${orgId}`}, 0))`);
  const [sealed] = await to.select(place).from(installationHeads).where(eq(installationHeads.runId, runId));
  if (sealed) return sealed;
  const [head] = await to.select().from(runHeads).where(eq(runHeads.runId, runId)).for("update");
  if (!head) throw new Error(`Run ${runId} has no record.`);
  const [last] = await to
    .select(place)
    .from(installationHeads)
    .where(eq(installationHeads.orgId, orgId))
    .orderBy(desc(installationHeads.seq))
    .limit(1);
  const seq = (last?.seq ?? 0) + 1;
  const hash = createHash("sha256")
    .update(`${last?.hash ?? `countersign/org/${orgId}`}\n${seq}\n${runId}\n${head.seq}\n${head.hash}`)
    .digest("hex");
  await to.insert(installationHeads).values({ orgId, seq, runId, runSeq: head.seq, runHash: head.hash, hash });
  return { seq, hash };
}
