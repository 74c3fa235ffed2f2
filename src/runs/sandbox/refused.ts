import type { Core } from "#runs/core.ts";
import type { EventBody } from "#runs/event.ts";
import { caughtUp } from "#runs/money/caught-up.ts";
import { eventsOf } from "#runs/record/look.ts";
import type { RunId } from "#runs/run.ts";

/** Refusals that are not about a host: the run is over, or a client tries without its token first. */
const NOT_THE_HOST = new Set(["no_run", "run_over", "token_origin", "fail_closed", "client_left", "bad_authority"]);

/** Whether something was kept from a host that it asked for, be it by a rule, by the lack of one or by the host itself. */
export const isHostRefused = (one: {
  readonly outcome: "allow" | "deny";
  readonly host: string;
  readonly reason: string;
}): boolean => one.outcome === "deny" && one.host !== "" && !NOT_THE_HOST.has(one.reason);

/** A way out that the gateway did not open. */
export type Refused = Pick<Extract<EventBody, { kind: "egress.decided" }>, "host" | "port" | "reason" | "rule">;

/** "host:port": as which it is known to people. */
export const nameOf = ({ host, port }: Pick<Refused, "host" | "port">): string => `${host}:${port}`;

/**
 * What one sandbox was refused: each call resolves with what was refused since the one before, each host once. A command
 * that ran between two calls was refused it. It waits until all that the gateway has decided is in the record; readers of
 * the audit that stay behind leave out what they have not read. Throws when the gateway is away.
 */
export function refusalsOf(
  core: Core,
  runId: RunId,
  sandbox: string,
): (signal: AbortSignal) => Promise<readonly Refused[]> {
  let seen = 0;
  return async (signal) => {
    await caughtUp(core, signal);
    const found = new Map<string, Refused>();
    for (const { seq, body } of await eventsOf(core, runId, seen)) {
      seen = seq;
      if (body.kind !== "egress.decided" || body.sandbox !== sandbox || !isHostRefused(body)) continue;
      const { host, port, reason, rule } = body;
      found.set(nameOf(body), { host, port, reason, rule });
    }
    return [...found.values()];
  };
}

const NAMED = 5;

/** Who was refused and by what: "cdn.example.net:443 (no rule) and db.example.net:5432 (rule org.yaml:20:5) were refused". */
export function refusedWords(refused: readonly Refused[]): string {
  const said = refused.slice(0, NAMED).map((one) => `${nameOf(one)} (${because(one)})`);
  const more = refused.length - said.length;
  const all = more > 0 ? [...said, `${more} more`] : said;
  const last = all.pop() ?? "nothing";
  return all.length === 0 ? `${last} was refused` : `${all.join(", ")} and ${last} were refused`;
}

function because({ reason, rule }: Refused): string {
  const words = reason.replaceAll("_", " ");
  if (rule === null) return words;
  return reason === "rule" ? `rule ${rule}` : `${words}, ${rule}`;
}
