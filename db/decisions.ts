import type { PolicyRequest } from "#policy/decision.ts";
import type { RecordedDecision } from "#policy/simulate.ts";
import { and, asc, eq, gte, sql } from "./drizzle.ts";
import { isId } from "./fence.ts";
import { runEvents } from "./schema/record.ts";
import { runs } from "./schema/runs.ts";
import { type Db, outside } from "./store.ts";

/** Of a time, or of one run by its id or its number. */
export type Decisions = { readonly since: Date } | { readonly run: string };

/**
 * What policy was asked and what it answered, oldest first. Decisions of before what was asked was kept are not in it:
 * nobody could put them again.
 */
export async function recordedDecisions(db: Db, orgId: string, of: Decisions): Promise<readonly RecordedDecision[]> {
  const which = "since" in of ? gte(runEvents.at, of.since) : runOf(of.run);
  if (which === null) return [];
  const found = await outside(db)
    .select({ number: runs.number, at: runEvents.at, body: runEvents.body })
    .from(runEvents)
    .innerJoin(runs, eq(runs.id, runEvents.runId))
    // By their text: reading a body as JSON in there fails on what agents print.
    .where(and(eq(runEvents.orgId, orgId), which, sql`strpos(${runEvents.body}::text, '"kind":"policy.decided"') > 0`))
    .orderBy(asc(runEvents.at), asc(runEvents.runId), asc(runEvents.seq));
  return found.flatMap(({ number, at, body }) => {
    if (body.kind !== "policy.decided" || body.request === undefined) return [];
    const { about, outcome, request } = body;
    return [{ run: String(number), at: at.toISOString(), about, outcome, request: request as PolicyRequest }];
  });
}

function runOf(text: string) {
  if (isId(text)) return eq(runs.id, text);
  return /^\d{1,9}$/.test(text) ? eq(runs.number, Number(text)) : null;
}
