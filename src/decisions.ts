import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Hono } from "hono";
import { z } from "zod";
import { openKeys } from "#adapters/secrets/keys.ts";
import type { Decisions } from "#db/decisions.ts";
import type { PolicyRequest } from "#policy/decision.ts";
import type { RecordedDecision } from "#policy/simulate.ts";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import { requestShape } from "#runs/replay.ts";
import { policyHook } from "#surfaces/web/policy-hook.ts";
import type { Config } from "./config.ts";
import { serviceFile } from "./places.ts";

const PATH = "/policy/decisions";
const PATIENCE_MS = 30_000;

type Recorded = (of: Decisions) => Promise<readonly RecordedDecision[]>;

/** For the command line, while the embedded database serves us alone: who has the start token may read decisions. */
export function decisionRoutes(o: { token: string; recorded: Recorded }): Hono {
  return new Hono().get(PATH, async (c) => {
    if (!isToken(c.req.header("authorization"), o.token)) return c.json({ error: "start token" }, 401);
    const run = c.req.query("run");
    const since = new Date(c.req.query("since") ?? "");
    if (run === undefined && Number.isNaN(since.getTime())) return c.json({ error: "name a run, or since when" }, 400);
    return c.json(await o.recorded(run === undefined ? { since } : { run }));
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

function isToken(header: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ""), Buffer.from(`Bearer ${token}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

const Service = z.object({ url: z.url() });
const Answer = z.array(
  z.strictObject({
    run: z.string(),
    at: z.string(),
    about: z.string(),
    outcome: z.enum(["allow", "ask", "deny"]),
    request: requestShape.transform((request) => request as PolicyRequest).nullable(),
  }),
);

/** Something the person at the command line has to mend: one line. */
class CommandError extends Error {
  override readonly name = "CommandError";
}

/** Out of the database, or from the service that has the embedded one open. */
export function recordedBy(config: Config): Recorded {
  return async (of) => {
    const { database: place } = config;
    if (place.kind === "pglite" && place.folder !== null && !existsSync(place.folder)) return [];
    const [{ openDatabase }, { DatabaseInUse }, { ensureOrg }, { recordedDecisions }] = await Promise.all([
      import("#db/open.ts"),
      import("#db/lock.ts"),
      import("#db/orgs.ts"),
      import("#db/decisions.ts"),
    ]);
    let database: Awaited<ReturnType<typeof openDatabase>>;
    try {
      database = await openDatabase(place, { connections: config.databaseConnections });
    } catch (error) {
      if (error instanceof DatabaseInUse) return askService(config, of);
      throw new CommandError(error instanceof Error ? error.message : String(error), { cause: error });
    }
    try {
      return await recordedDecisions(database.db, await ensureOrg(database.db, "default"), of);
    } finally {
      await database.close();
    }
  };
}

async function askService(config: Config, of: Decisions): Promise<readonly RecordedDecision[]> {
  const file = serviceFile(config.dataDir);
  if (!existsSync(file)) throw new CommandError(`the database is in use, and ${file} does not say by which service`);
  const { url } = Service.parse(JSON.parse(readFileSync(file, "utf8")));
  const token = openKeys(path.join(config.dataDir, "keys")).text("start").reveal();
  const query = new URLSearchParams("since" in of ? { since: of.since.toISOString() } : { run: of.run });
  try {
    const answer = await fetch(`${url}${PATH}?${query}`, {
      headers: { authorization: `Bearer ${token}` },
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    return Answer.parse(await answer.json());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`the service at ${url} has the database open and cannot be asked: ${why}`, { cause });
  }
}
