import type { SQL } from "drizzle-orm";
import { QUEUES } from "#ports/engine.ts";
import type { Tx } from "#ports/store.ts";
import { genesis } from "#runs/chain.ts";
import { Fenced, type Run, type RunPatch } from "#runs/run.ts";
import { isFinal, isParked, queueOf, RUN_STATES, type RunState } from "#runs/state.ts";
import type { RunStore } from "#runs/stores.ts";
import { and, desc, eq, inArray, isNull, lt, lte, ne, notInArray, or, sql } from "./drizzle.ts";
import { startHead } from "./events.ts";
import { holds, isId, storable } from "./fence.ts";
import { runHeads } from "./schema/record.ts";
import { runs } from "./schema/runs.ts";
import { asDb, type Db, outside, reading, rows } from "./store.ts";

type Row = typeof runs.$inferSelect;

const FINAL = RUN_STATES.filter(isFinal);
const PARKED = RUN_STATES.filter(isParked);

/** A run that the sweep has woken is not woken again for this long; if its worker died, then it is. */
const SWEPT_MS = 30_000;

const inMs = (ms: number): SQL<Date> => sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;

export function runStore(db: Db, orgId: string): RunStore {
  const one = async (from: Db, where: SQL | undefined): Promise<Run | null> => {
    const [row] = await from
      .select()
      .from(runs)
      .where(and(eq(runs.orgId, orgId), where))
      .orderBy(desc(runs.number))
      .limit(1);
    return row ? toRun(row) : null;
  };
  const many = async (where: SQL | undefined, limit: number): Promise<Run[]> =>
    (await reading(db).select().from(runs).where(where).orderBy(desc(runs.number)).limit(limit)).map(toRun);

  const byId = reading(db)
    .select()
    .from(runs)
    .where(and(eq(runs.orgId, orgId), eq(runs.id, sql.placeholder("id"))))
    .prepare("run_by_id");

  return {
    /** SQL by hand: people wait for this, and building it through the query builder takes as long as running it. */
    async insert(tx, run) {
      const to = asDb(tx);
      const { id, orgId, requester, place, mirror = null, ticket = null } = run;
      const hash = genesis(id);
      const made = await to.execute(sql`
        with counted as (
          update orgs set run_count = run_count + 1
          where id = ${orgId}
            and not exists (select from runs where runs.org_id = orgs.id and runs.request_key = ${run.requestKey})
          returning run_count
        ), made as (
          insert into runs (id, org_id, number, request_key, team, repo, branch, requester_id, requester_name, text,
            provider, workspace, channel, thread, mirror_provider, mirror_workspace, mirror_channel, mirror_thread, ticket,
            because, agent, model, policy_digest)
          select ${id}::uuid, ${orgId}::uuid, run_count, ${run.requestKey}::text, ${run.team}::text, ${run.repo}::text,
            ${run.branch}::text, ${requester.id}::uuid, ${storable(requester.name)}::text, ${storable(run.text)}::text,
            ${place.provider}::text, ${place.workspace}::text, ${place.channel}::text, ${place.thread}::text,
            ${mirror?.provider ?? null}::text, ${mirror?.workspace ?? null}::text, ${mirror?.channel ?? null}::text,
            ${mirror?.thread ?? null}::text, ${ticket === null ? null : JSON.stringify(ticket)}::json,
            ${run.because}::text, ${run.agent}::text, ${run.model}::text, ${run.policyDigest}::text
          from counted
          on conflict (org_id, request_key) do nothing
          returning *
        ), head as (
          insert into run_heads (org_id, run_id, seq, hash, epoch, at)
          select org_id, id, 0, ${hash}::text, epoch, created_at from made
        )
        select number, state, epoch, created_at as "createdAt" from made`);
      const [row] = rows<{ number: number; state: RunState; epoch: number; createdAt: string }>(made);
      if (!row) return null;
      const { number, state, epoch } = row;
      const createdAt = new Date(row.createdAt);
      holds(to, { id, epoch });
      startHead(to, id, { orgId, seq: 0, hash, epoch, at: createdAt });
      return {
        ...{ id, orgId, number, state, epoch, team: run.team, repo: run.repo, branch: run.branch },
        ...{ baseBranch: null, baseOid: null, headOid: null },
        requester: { id: requester.id, name: storable(requester.name) },
        text: storable(run.text),
        place: { ...place },
        mirror: mirror === null ? null : { ...mirror },
        ticket,
        ...{ because: run.because, agent: run.agent, model: run.model, scope: null, policyDigest: run.policyDigest },
        ...{ resumeTo: null, pullRequest: null, fixRounds: 0, restarts: 0, cancelRequestedBy: null },
        ...{ wakeAt: null, deadlineAt: null, createdAt, updatedAt: createdAt },
      };
    },
    async get(id) {
      outside(db);
      const [row] = isId(id) ? await byId.execute({ id }) : [];
      return row ? toRun(row) : null;
    },
    async byNumber(org, number) {
      const [run] = await many(and(eq(runs.orgId, org), eq(runs.number, number)), 1);
      return run ?? null;
    },
    byPlace: (place) =>
      one(
        reading(db),
        or(
          and(
            eq(runs.provider, place.provider),
            eq(runs.workspace, place.workspace),
            eq(runs.channel, place.channel),
            eq(runs.thread, place.thread),
          ),
          and(
            eq(runs.mirrorProvider, place.provider),
            eq(runs.mirrorWorkspace, place.workspace),
            eq(runs.mirrorChannel, place.channel),
            eq(runs.mirrorThread, place.thread),
            ne(runs.mirrorThread, ""),
          ),
        ),
      ),
    async lock(tx, id) {
      if (!isId(id)) return null;
      const [row] = await asDb(tx).select().from(runs).where(eq(runs.id, id)).for("no key update");
      if (row) holds(asDb(tx), row);
      return row ? toRun(row) : null;
    },
    async take(id) {
      // The head's epoch moves in the same statement: from here on the former owner can append nothing.
      const free = outside(db);
      const taken = free.$with("taken").as(
        free
          .update(runs)
          .set({ epoch: sql`${runs.epoch} + 1`, updatedAt: sql`clock_timestamp()` })
          .where(and(eq(runs.id, id), notInArray(runs.state, FINAL)))
          .returning(),
      );
      const heads = free
        .$with("heads")
        .as(
          free
            .update(runHeads)
            .set({ epoch: sql`(select epoch from taken)` })
            .where(sql`${runHeads.runId} in (select id from taken)`)
            .returning({ runId: runHeads.runId }),
        );
      const [row] = await free.with(taken, heads).select().from(taken);
      return row ? toRun(row) : null;
    },
    async move(tx, run, to, patch) {
      const [row] = await asDb(tx)
        .update(runs)
        .set({ sweptUntil: null, ...columns(patch), state: to, updatedAt: sql`clock_timestamp()` })
        .where(and(eq(runs.id, run.id), eq(runs.state, run.state), eq(runs.epoch, run.epoch)))
        .returning();
      if (row) holds(asDb(tx), row);
      return row ? toRun(row) : null;
    },
    async patch(tx, run, patch) {
      const [row] = await asDb(tx)
        .update(runs)
        .set({ ...columns(patch), updatedAt: sql`clock_timestamp()` })
        .where(and(eq(runs.id, run.id), eq(runs.epoch, run.epoch)))
        .returning();
      if (!row) throw new Fenced(`Run ${run.id} is no longer held at epoch ${run.epoch}.`);
      holds(asDb(tx), row);
      return toRun(row);
    },
    async mirrored(tx, id, thread) {
      const [row] = await asDb(tx)
        .update(runs)
        .set({ mirrorThread: thread })
        .where(and(eq(runs.id, id), eq(runs.mirrorThread, "")))
        .returning();
      return row ? toRun(row) : null;
    },
    requestCancel: (tx, id, by) => requestCancel(tx, id, by),
    inStates: (org, states, limit) => many(and(eq(runs.orgId, org), inArray(runs.state, [...states])), limit),
    recent: (org, limit) => many(eq(runs.orgId, org), limit),
    byRequester: (org, personId, limit) => many(and(eq(runs.orgId, org), eq(runs.requesterId, personId)), limit),
    byPullRequest: (repo, number) => one(reading(db), and(eq(runs.repo, repo), eq(runs.pullNumber, number))),
    async due(idleMs, limit) {
      const free = outside(db);
      const ready = free.$with("ready").as(
        free
          .select({ id: runs.id })
          .from(runs)
          .where(
            and(
              eq(runs.orgId, orgId),
              or(isNull(runs.sweptUntil), lte(runs.sweptUntil, sql`clock_timestamp()`)),
              or(
                lte(runs.wakeAt, sql`clock_timestamp()`),
                and(notInArray(runs.state, PARKED), lt(runs.updatedAt, inMs(-idleMs)), await jobless(free)),
              ),
            ),
          )
          .orderBy(runs.wakeAt)
          .limit(limit)
          .for("no key update", { skipLocked: true }),
      );
      const claimed = await free
        .with(ready)
        .update(runs)
        .set({ sweptUntil: inMs(SWEPT_MS) })
        .where(inArray(runs.id, free.select({ id: ready.id }).from(ready)))
        .returning({ id: runs.id, state: runs.state });
      return claimed.map((run) => ({ ...run, queue: queueOf(run.state) }));
    },
  };
}

/**
 * No job, waiting or active, is about the run: a turn of an hour touches nothing and needs no second wake. Where no
 * pg-boss is (the memory engine), nothing can be said and every idle run counts.
 */
async function jobless(db: Db): Promise<SQL | undefined> {
  const [found] = rows<{ there: boolean }>(
    await db.execute(sql`select to_regclass('pgboss.job') is not null as there`),
  );
  return found?.there
    ? sql`not exists (
        select from pgboss.job j where j.name = any(${sql.param([...QUEUES, "dead"])}::text[])
          and j.state <= 'active' and j.singleton_key = ${runs.id}::text)`
    : undefined;
}

async function requestCancel(tx: Tx, id: string, by: string): Promise<Run | null> {
  const [row] = await asDb(tx)
    .update(runs)
    .set({
      cancelRequestedBy: sql`coalesce(${runs.cancelRequestedBy}, ${by})`,
      cancelRequestedAt: sql`coalesce(${runs.cancelRequestedAt}, clock_timestamp())`,
      epoch: sql`${runs.epoch} + 1`,
      updatedAt: sql`clock_timestamp()`,
    })
    .where(and(eq(runs.id, id), notInArray(runs.state, FINAL)))
    .returning();
  if (!row) return null;
  holds(asDb(tx), row);
  await asDb(tx).update(runHeads).set({ epoch: row.epoch }).where(eq(runHeads.runId, id));
  return toRun(row);
}

function columns(patch: RunPatch): Partial<typeof runs.$inferInsert> {
  const { pullRequest, ...rest } = patch;
  return {
    ...rest,
    ...(pullRequest === undefined
      ? {}
      : { pullNumber: pullRequest?.number ?? null, pullUrl: pullRequest?.url ?? null }),
    ...(patch.wakeAt === undefined ? {} : { sweptUntil: null }),
  };
}

function mirrorOf({ mirrorProvider, mirrorWorkspace, mirrorChannel, mirrorThread }: Row): Run["mirror"] {
  if (mirrorProvider === null || mirrorWorkspace === null || mirrorChannel === null) return null;
  return {
    provider: mirrorProvider,
    workspace: mirrorWorkspace,
    channel: mirrorChannel,
    thread: mirrorThread ?? "",
  };
}

function toRun(row: Row): Run {
  return {
    id: row.id,
    orgId: row.orgId,
    number: row.number,
    state: row.state,
    epoch: row.epoch,
    team: row.team,
    repo: row.repo,
    branch: row.branch,
    baseBranch: row.baseBranch,
    baseOid: row.baseOid,
    headOid: row.headOid,
    requester: { id: row.requesterId, name: row.requesterName },
    text: row.text,
    place: { provider: row.provider, workspace: row.workspace, channel: row.channel, thread: row.thread },
    mirror: mirrorOf(row),
    ticket: row.ticket,
    because: row.because,
    agent: row.agent,
    model: row.model,
    scope: row.scope,
    policyDigest: row.policyDigest,
    resumeTo: row.resumeTo,
    pullRequest: row.pullNumber === null ? null : { number: row.pullNumber, url: row.pullUrl ?? "" },
    fixRounds: row.fixRounds,
    restarts: row.restarts,
    cancelRequestedBy: row.cancelRequestedBy,
    wakeAt: row.wakeAt,
    deadlineAt: row.deadlineAt,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
