import type { PolicyObject, PolicyRequest } from "#policy/decision.ts";
import type { RecordedDecision } from "#policy/explain/simulate.ts";
import type { EventBody } from "#runs/event.ts";
import { TURNED_AWAY, TurnedAway } from "#runs/request/turned-away.ts";
import { and, asc, eq, gte, or, sql } from "./drizzle.ts";
import { isId } from "./fence.ts";
import { runEvents } from "./schema/record.ts";
import { runs } from "./schema/runs.ts";
import { notes } from "./schema/work.ts";
import { type Db, reading } from "./store.ts";

/** Of a time, or of one run by its id or its number. */
export type Decisions = { readonly since: Date } | { readonly run: string };

/**
 * What policy was asked and what it answered, oldest first. What a limit decided has no request, as nothing was asked; nor
 * has what the gateway decided and its event does not tell in full, nor a decision of before what was asked was kept.
 */
export async function recordedDecisions(db: Db, orgId: string, of: Decisions): Promise<readonly RecordedDecision[]> {
  const which = "since" in of ? gte(runEvents.at, of.since) : runOf(of.run);
  if (which === null) return [];
  const found = await reading(db)
    .select({
      number: runs.number,
      team: runs.team,
      repo: runs.repo,
      pinned: runs.policyDigest,
      at: runEvents.at,
      body: runEvents.body,
    })
    .from(runEvents)
    .innerJoin(runs, eq(runs.id, runEvents.runId))
    // By their text: reading a body as JSON in there fails on what agents print.
    .where(
      and(
        eq(runEvents.orgId, orgId),
        which,
        or(...KINDS.map((kind) => sql`strpos(${runEvents.body}::text, ${`"kind":"${kind}"`}) > 0`)),
      ),
    )
    .orderBy(asc(runEvents.at), asc(runEvents.runId), asc(runEvents.seq));
  const asked = new Set(
    found.flatMap(({ number, body }) =>
      body.kind === "policy.decided" && body.about === "host" ? [`${number} ${body.subject}`] : [],
    ),
  );
  const ofRuns = found.flatMap(({ number, team, repo, pinned, at, body }): RecordedDecision[] => {
    const inForce = "digest" in body ? [body.digest] : [];
    const when = { run: String(number), at: at.toISOString(), policies: [...new Set([...inForce, pinned])] };
    switch (body.kind) {
      case "policy.decided": {
        const { about, subject, outcome, reason, rules, request } = body;
        if (request !== undefined) return [{ ...when, about, outcome, request: request as PolicyRequest }];
        return [{ ...when, about, outcome, request: null, told: { subject, reason, rules } }];
      }
      case "egress.decided": {
        const objects = objectsOf(body, (host) => asked.has(`${number} ${host}`));
        const about = OTHER_DOORS[body.via] ?? "egress";
        return [{ ...when, about, outcome: body.outcome, request: objects && { team, objects } }];
      }
      case "push.decided": {
        // The relay lets through what people are asked about before it is published.
        const outcome = body.outcome === "allow" && body.asks === true ? "ask" : body.outcome;
        return [{ ...when, about: "relay", outcome, request: pushed(team, repo, body.paths ?? []) }];
      }
      case "model.called": {
        const objects = [{ subject: "model" as const, model: body.model }];
        return [{ ...when, about: "model", outcome: "allow", request: { team, objects } }];
      }
      default:
        return [];
    }
  });
  if (!("since" in of)) return ofRuns;
  return [...ofRuns, ...(await turnedAway(db, orgId, of.since))].toSorted((a, b) => (a.at < b.at ? -1 : 1));
}

/** Requests that were turned away before there was a run. */
async function turnedAway(db: Db, orgId: string, since: Date): Promise<readonly RecordedDecision[]> {
  const found = await reading(db)
    .select({ at: notes.at, body: notes.body })
    .from(notes)
    .where(and(eq(notes.orgId, orgId), gte(notes.at, since), sql`starts_with(${notes.key}, ${TURNED_AWAY})`));
  return found.map(({ at, body }) => ({
    run: NO_RUN,
    at: at.toISOString(),
    about: "intake",
    outcome: "deny",
    request: TurnedAway.parse(body).request as PolicyRequest | null,
  }));
}

/** In place of a run's number. */
const NO_RUN = "none";

const KINDS = ["policy.decided", "egress.decided", "push.decided", "model.called"] as const;
/** Lines of the gateway that are not about a host that the sandbox named. */
const OTHER_DOORS: Readonly<Record<string, string>> = { git: "relay", model: "model", registry: "registry" };
/** Refusals that do not hang on the path, which is not in the record, nor on an address or a run's state. */
const REPLAYED = new Set(["no_rule", "port", "method"]);

/**
 * What the gateway was asked, put as policy is asked; `null`: the event has not what decided it. An allowed request is put
 * without its path: it changes when its host, port or method is no longer granted to any path. A host that people were
 * asked about was opened by their yes, which is recorded and replayed by itself.
 */
function objectsOf(
  { via, host, port, method, outcome, reason }: Extract<EventBody, { kind: "egress.decided" }>,
  isAsked: (host: string) => boolean,
): PolicyObject[] | null {
  const replayed = outcome === "allow" ? !isAsked(`${host}:${port}`) : REPLAYED.has(reason);
  // A denial of a host as such comes before its methods and paths: at the door that has not seen these.
  const denied = outcome === "deny" && reason === "rule" && via === "connect";
  if (via in OTHER_DOORS || host === "" || !(replayed || denied)) return null;
  return [{ subject: "egress", host, port, method, path: null }];
}

/** `null`: a push that was refused for another reason than its paths, or of before they were kept. */
const pushed = (team: string, repo: string, paths: readonly string[]): PolicyRequest | null =>
  paths.length === 0 ? null : { team, objects: paths.map((path) => ({ subject: "git.path", repo, path })) };

function runOf(text: string) {
  if (isId(text)) return eq(runs.id, text);
  return /^\d{1,9}$/.test(text) ? eq(runs.number, Number(text)) : null;
}
