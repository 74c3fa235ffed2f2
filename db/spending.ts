import type { SQL } from "drizzle-orm";
import type { EventBody } from "#runs/event.ts";
import type { RunId } from "#runs/run.ts";
import { HOLDS_A_PLACE } from "#runs/state.ts";
import type { Amount, ShareStore, ShareUse, Sharing } from "#runs/stores.ts";
import { eq, sql } from "./drizzle.ts";
import { runBudgets } from "./schema/spending.ts";
import { asDb, type Db, reading, rows } from "./store.ts";

/** What runs share: places and money, as the record has them. */
export function shareStore(db: Db, orgId: string): ShareStore {
  return {
    async use(tx, run, month) {
      const to = asDb(tx);
      // Two runs that start at once must not both see the last free place: one at a time, until the commit. In one order,
      // so that nobody waits for somebody who waits for them.
      const keys = [`team/${run.team}`, `person/${run.requester.id}`, `repo/${run.repo}`].map(
        (key) => `${orgId}/${key}`,
      );
      const locks = keys.sort().map((key) => sql`pg_advisory_xact_lock(hashtextextended(${key}, 0))`);
      await to.execute(sql`select ${sql.join(locks, sql`, `)}`);
      const [row] = rows<Record<string, number | string | null>>(await to.execute(useOf(orgId, run, month)));
      return read(row ?? {});
    },
    async allot(tx, run, { usd, tokens }) {
      const to = { allottedUsd: usd, allottedTokens: Math.floor(tokens), held: true };
      await asDb(tx)
        .insert(runBudgets)
        .values({ orgId, runId: run.id, ...to })
        .onConflictDoUpdate({ target: runBudgets.runId, set: to });
    },
    async allotted(runId) {
      const [row] = await reading(db).select().from(runBudgets).where(eq(runBudgets.runId, runId));
      if (!row?.held || row.allottedUsd === null || row.allottedTokens === null) return null;
      return { usd: row.allottedUsd, tokens: row.allottedTokens };
    },
    async unsettled(limit) {
      const found = await reading(db).execute(sql`
        select r.id from run_budgets b join runs r on r.id = b.run_id
        where b.org_id = ${orgId}::uuid and b.held and r.state not in (${PLACES}) limit ${limit}`);
      return rows<{ id: string }>(found).map(({ id }) => id);
    },
    async settle(tx, runId) {
      await asDb(tx).update(runBudgets).set({ held: false }).where(eq(runBudgets.runId, runId));
    },
  };
}

const PLACES = sql.join(
  HOLDS_A_PLACE.map((state) => sql`${state}::run_state`),
  sql`, `,
);

/** In line with a person's answer: before whoever begins. */
const COMES_BACK = sql`(r.state = 'queued' and r.resume_to is not null)`;

/**
 * One look at runs at work by `runs_state` and at those that money is still held for by `run_budgets_held`, at the month by
 * its two keys, and at the run's own row.
 */
function useOf(orgId: string, run: Sharing, month: string): SQL {
  const before = run.resumeTo === null ? sql` or ${COMES_BACK}` : sql``;
  return sql`
    with ids as (
      select r.id from runs r where r.org_id = ${orgId}::uuid and (r.state in (${PLACES}) or ${COMES_BACK})
      union select run_id from run_budgets where org_id = ${orgId}::uuid and held
    ), others as (
      select r.team = ${run.team} as of_team, r.requester_id = ${run.requester.id}::uuid as of_person,
        r.repo = ${run.repo} as of_repo, (r.state in (${PLACES})${before}) as at_work,
        coalesce(greatest(b.allotted_usd - b.spent_usd, 0), 0) as usd,
        coalesce(greatest(b.allotted_tokens - b.spent_tokens, 0), 0) as tokens
      from ids join runs r on r.id = ids.id left join run_budgets b on b.run_id = r.id and b.held
      where r.id <> ${run.id}::uuid
    ), busy as (
      select count(*) filter (where at_work and of_team) as "teamRuns",
        count(*) filter (where at_work and of_person) as "personRuns",
        count(*) filter (where at_work and of_repo) as "repoRuns",
        sum(usd) filter (where of_team) as "teamHeldUsd", sum(tokens) filter (where of_team) as "teamHeldTokens",
        sum(usd) filter (where of_person) as "personHeldUsd", sum(tokens) filter (where of_person) as "personHeldTokens"
      from others
    ), spent as (
      select sum(usd) filter (where team = ${run.team}) as "teamUsd",
        sum(tokens) filter (where team = ${run.team}) as "teamTokens",
        sum(usd) filter (where person_id = ${run.requester.id}::uuid) as "personUsd",
        sum(tokens) filter (where person_id = ${run.requester.id}::uuid) as "personTokens"
      from month_spending
      where org_id = ${orgId}::uuid and month = ${month}
        and (team = ${run.team} or person_id = ${run.requester.id}::uuid)
    )
    select busy.*, spent.*, own.spent_usd as "ownUsd", own.spent_tokens as "ownTokens"
    from busy cross join spent left join run_budgets own on own.run_id = ${run.id}::uuid`;
}

/** Sums come as text from one driver and as numbers from the other, and as nothing where there is nothing to sum. */
function read(row: Readonly<Record<string, number | string | null>>): ShareUse {
  const number = (key: string) => Number(row[key] ?? 0);
  const amount = (of: string): Amount => ({ usd: number(`${of}Usd`), tokens: number(`${of}Tokens`) });
  return {
    runs: { team: number("teamRuns"), person: number("personRuns"), repo: number("repoRuns") },
    spent: { team: amount("team"), person: amount("person") },
    held: { team: amount("teamHeld"), person: amount("personHeld") },
    own: amount("own"),
  };
}

/** Adds what these events say was spent, in the transaction that appends them and under the run's lock. */
export async function addSpending(db: Db, runId: RunId, at: Date, bodies: readonly EventBody[]): Promise<void> {
  const calls = bodies.filter((body) => body.kind === "model.called");
  if (calls.length === 0) return;
  const usd = calls.reduce((sum, call) => sum + call.usd, 0);
  const tokens = calls.reduce((sum, call) => sum + call.inputTokens + call.outputTokens, 0);
  const month = at.toISOString().slice(0, 7);
  await db.execute(sql`
    with of as (select id, org_id, team, requester_id from runs where id = ${runId}::uuid),
    months as (
      insert into month_spending (org_id, month, team, person_id, usd, tokens)
      select org_id, ${month}, team, requester_id, ${usd}::float8, ${tokens}::bigint from of
      on conflict (org_id, month, team, person_id)
      do update set usd = month_spending.usd + excluded.usd, tokens = month_spending.tokens + excluded.tokens
    )
    insert into run_budgets (org_id, run_id, spent_usd, spent_tokens)
    select org_id, id, ${usd}::float8, ${tokens}::bigint from of
    on conflict (run_id) do update set spent_usd = run_budgets.spent_usd + excluded.spent_usd,
      spent_tokens = run_budgets.spent_tokens + excluded.spent_tokens`);
}
