import { createHmac, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Decisions } from "#db/decisions.ts";
import { restorePolicy } from "#policy/archive.ts";
import type { PolicyRequest } from "#policy/decision.ts";
import type { RecordedDecision } from "#policy/explain/simulate.ts";
import type { Policy } from "#policy/policy.ts";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import { requestShape, ruleShape } from "#runs/replay.ts";
import type { PolicyArchive } from "#runs/stores.ts";
import { policyHook } from "#surfaces/web/policy-hook.ts";
import type { Config } from "./config.ts";
import { askService, isToken, overDatabase } from "./service.ts";

const PATH = "/policy/decisions";
const KEPT_PATH = "/policy/kept";

type Recorded = (of: Decisions) => Promise<readonly RecordedDecision[]>;
/** Policies as they were in force, by digest; what was not kept is left out. */
type Kept = (digests: readonly string[]) => Promise<ReadonlyMap<string, Policy>>;

/** For the command line, while the embedded database serves us alone: who has the start token may read decisions. */
export function decisionRoutes(o: { token: string; recorded: Recorded; kept: Kept }): Hono {
  const isOurs = (c: Context): boolean => isToken(c.req.header("authorization"), o.token);
  return new Hono()
    .get(PATH, async (c) => {
      if (!isOurs(c)) return c.json({ error: "start token" }, 401);
      const run = c.req.query("run");
      const since = new Date(c.req.query("since") ?? "");
      if (run === undefined && Number.isNaN(since.getTime()))
        return c.json({ error: "name a run, or since when" }, 400);
      return c.json(await o.recorded(run === undefined ? { since } : { run }));
    })
    .get(KEPT_PATH, async (c) => {
      if (!isOurs(c)) return c.json({ error: "start token" }, 401);
      return c.json([...(await o.kept(c.req.queries("digest") ?? [])).values()]);
    });
}

/** For whoever has the webhook's secret: that the policy may have changed. */
export function lookRoutes(secret: Secret, look: () => Promise<void>, say: Core["log"]): Hono {
  const hmac = (text: string) => createHmac("sha256", secret.reveal()).update(text).digest();
  return policyHook({
    hmac,
    // Compared as digests: of equal length whatever was given.
    isSecret: (given) => timingSafeEqual(hmac(given), hmac(secret.reveal())),
    look: () =>
      void look().catch((error: unknown) => say("the policy could not be looked at", { error: String(error) })),
  });
}

const Answer = z.array(
  z.strictObject({
    run: z.string(),
    at: z.string(),
    about: z.string(),
    outcome: z.enum(["allow", "ask", "deny"]),
    request: requestShape.transform((request) => request as PolicyRequest).nullable(),
    told: z.strictObject({ subject: z.string(), reason: z.string().nullable(), rules: z.array(ruleShape) }).optional(),
    policies: z.array(z.string()).optional(),
  }),
);

/** Out of the database, or from the service that has the embedded one open. */
export function recordedBy(config: Config): Recorded {
  return async (of) => {
    const query = new URLSearchParams("since" in of ? { since: of.since.toISOString() } : { run: of.run });
    const found = await overDatabase(
      config,
      async ({ db }, orgId) => (await import("#db/decisions.ts")).recordedDecisions(db, orgId, of),
      () => askService(config, `${PATH}?${query}`, (json) => Answer.parse(json)),
    );
    return found ?? [];
  };
}

/** The same of policies. */
export function keptBy(config: Config): Kept {
  return async (digests) => {
    if (digests.length === 0) return new Map();
    const query = new URLSearchParams(digests.map((digest): [string, string] => ["digest", digest]));
    const found = await overDatabase(
      config,
      async ({ db }, orgId) => [
        ...(await keptPolicies((await import("#db/policies.ts")).policyArchive(db, orgId), digests)).values(),
      ],
      () => askService(config, `${KEPT_PATH}?${query}`, (json) => (json as Policy[]).map(restorePolicy)),
    );
    return new Map((found ?? []).map((policy) => [policy.digest, policy]));
  };
}

/** Those of the digests that were kept. */
export async function keptPolicies(
  archive: Pick<PolicyArchive, "get">,
  digests: readonly string[],
): Promise<ReadonlyMap<string, Policy>> {
  const found = await Promise.all(digests.map((digest) => archive.get(digest)));
  return new Map(found.flatMap((policy) => (policy === null ? [] : [[policy.digest, policy] as const])));
}
