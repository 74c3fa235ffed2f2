import type { AuditLine } from "#ports/gateway.ts";
import type { Core } from "./core.ts";
import type { EventBody } from "./event.ts";
import { record } from "./record.ts";
import { tellStep } from "./tell.ts";

const CURSOR = "gateway:audit";
/** Hosts of one run that get a card of their own: an agent can name thousands, and the thread is for people. */
const MOST_CARDS = 5;

/**
 * Brings the gateway's journal into the record, line by line, each exactly once: the cursor moves in the transaction
 * that writes the event, so of several workers one wins. Returns when `signal` aborts; throws when the gateway is away.
 */
export async function ingest(core: Core, signal: AbortSignal): Promise<void> {
  const carded = new Map<string, Set<string>>();
  for await (const { next, line } of core.gateway.audit(await core.stores.cursors.get(CURSOR), signal)) {
    const run = line.run === null ? null : await core.stores.runs.get(line.run);
    await core.store.tx(async (tx) => {
      const fresh = await core.stores.cursors.advance(tx, CURSOR, next);
      if (!fresh || !run) return;
      await record(core, tx, run.id, null, [bodyOf(line)]);
      if (isBlockedHost(line)) {
        const hosts = carded.get(run.id) ?? new Set();
        if (hosts.size < MOST_CARDS) carded.set(run.id, hosts.add(`${line.host}:${line.port}`));
        if (hosts.has(`${line.host}:${line.port}`))
          await tellStep(core, tx, run, "blocked", `${line.host}:${line.port}`);
        await tellStep(core, tx, run, "status");
      }
    });
    core.nudge();
  }
}

/** Refusals that are not about a host: the run is over, or a client tries without its token first. */
const NOT_THE_HOST = new Set(["no_run", "run_over", "token_origin", "fail_closed", "client_left", "bad_authority"]);

/** Worth a card in the thread: a host that somebody could allow. Money and git have cards of their own. */
const isBlockedHost = (line: AuditLine): line is AuditLine & { kind: "egress" } =>
  line.kind === "egress" &&
  line.outcome === "deny" &&
  (line.via === "connect" || line.via === "http") &&
  line.host !== "" &&
  !NOT_THE_HOST.has(line.reason);

function bodyOf(line: AuditLine): EventBody {
  switch (line.kind) {
    case "egress":
      return {
        kind: "egress.decided",
        via: line.via,
        host: line.host,
        port: line.port,
        method: line.method,
        outcome: line.outcome,
        reason: line.reason,
        rule: line.rule,
        sandbox: line.sandbox,
      };
    case "closed":
      return {
        kind: "egress.closed",
        host: line.host,
        sentBytes: line.sentBytes,
        receivedBytes: line.receivedBytes,
        durationMs: line.durationMs,
      };
    case "model":
      return {
        kind: "model.called",
        model: line.model,
        status: line.status,
        inputTokens: line.usage.inputTokens,
        cachedTokens: line.usage.cachedTokens,
        outputTokens: line.usage.outputTokens,
        usd: line.usage.usd,
        prices: line.prices,
        durationMs: line.durationMs,
      };
    case "push":
      return {
        kind: "push.decided",
        branch: line.branch,
        oid: line.oid,
        outcome: line.outcome,
        reason: line.reason,
        rule: line.rule,
        detail: line.detail,
      };
    default:
      return line satisfies never;
  }
}
