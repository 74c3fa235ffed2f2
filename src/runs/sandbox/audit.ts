import type { TrialVerdict } from "#policy/decide/trial.ts";
import type { AuditLine } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import { triedAs, triedNow } from "#runs/decision/allow.ts";
import type { EventBody } from "#runs/event.ts";
import { AUDIT_CURSOR } from "#runs/money/caught-up.ts";
import { record } from "#runs/record/record.ts";
import { tellStep } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { askedOf, askHost, type HostAsked } from "./hosts.ts";
import { isHostRefused } from "./refused.ts";

/** Hosts of one run that get a card of their own: an agent can name thousands, and the thread is for people. */
const MOST_CARDS = 5;
const LOOK_AGAIN_MS = 60_000;

/**
 * Brings the gateway's journal into the record, line by line, each exactly once: the cursor moves in the transaction
 * that writes the event, so of several workers one wins. Returns when `signal` aborts; throws when the gateway is away.
 */
export async function ingest(core: Core, signal: AbortSignal): Promise<void> {
  const carded = new Map<string, ReadonlySet<string>>();
  const looked = new Map<string, Looked>();
  for await (const { next, line } of core.gateway.audit(await core.stores.cursors.get(AUDIT_CURSOR), signal)) {
    const run = line.run === null ? null : await core.stores.runs.get(line.run);
    const asked = run && isBlockedHost(line) ? await questionOf(core, run, line, looked) : null;
    await core.store.tx(async (tx) => {
      // The run before what belongs to it, as everywhere.
      const locked = run && asked ? await core.stores.runs.lock(tx, run.id) : null;
      const fresh = await core.stores.cursors.advance(tx, AUDIT_CURSOR, next);
      if (!fresh || !run) return;
      await record(core, tx, run.id, null, [bodyOf(core, run, line)]);
      if (asked && locked) await askHost(core, tx, locked, asked);
      if (!isBlockedHost(line)) return;
      const name = `${line.host}:${line.port}`;
      const hasQuestion = asked?.kind === "question" || asked?.kind === "asked";
      let hosts = new Set(carded.get(run.id));
      if (!hosts.has(name) && hosts.size < MOST_CARDS && !hasQuestion) {
        // Another worker, or one before us, may have had a card made. The cursor lets one of us in at a time.
        hosts = new Set(await core.stores.outbox.subjects(tx, run.id, "blocked"));
        if (hosts.size < MOST_CARDS) hosts.add(name);
        carded.set(run.id, hosts);
      }
      if (hosts.has(name)) await tellStep(core, tx, run, "blocked", name);
      await tellStep(core, tx, run, "status");
    });
    core.nudge();
  }
}

/** Worth a card in the thread: a host that somebody could allow. Money and git have cards of their own. */
const isBlockedHost = (line: AuditLine): line is AuditLine & { kind: "egress" } =>
  line.kind === "egress" && isHostRefused(line) && (line.via === "connect" || line.via === "http");

/** One look per host, port and method within a minute: an agent may try the same thousand times. */
async function questionOf(
  core: Core,
  run: Run,
  line: AuditLine & { kind: "egress" },
  looked: Map<string, Looked>,
): Promise<HostAsked | null> {
  const key = `${run.id} ${line.host}:${line.port} ${line.method}`;
  const now = core.clock.now().getTime();
  const before = looked.get(key);
  if (before !== undefined && before.until > now) return before.asked ? { kind: "asked" } : null;
  for (const [other, { until }] of looked) if (until <= now) looked.delete(other);
  const asked = await askedOf(core, run, line);
  looked.set(key, { until: now + LOOK_AGAIN_MS, asked: asked?.kind === "question" || asked?.kind === "asked" });
  return asked;
}

interface Looked {
  /** Milliseconds. */
  readonly until: number;
  readonly asked: boolean;
}

/** What a rule on trial would have said of a host; the path is not in the line, so a rule about paths says nothing. */
function trialOfHost(core: Core, run: Run, line: AuditLine & { kind: "egress" }): TrialVerdict | null {
  const { host, port, method, via } = line;
  if (host === "" || (via !== "connect" && via !== "http")) return null;
  return triedNow(core, { team: run.team, objects: [{ subject: "egress", host, port, method, path: null }] });
}

/** The same of what is pushed: also of a path that the next commit takes back, which is not published. */
function trialOfPush(core: Core, { team, repo }: Run, { paths }: AuditLine & { kind: "push" }): TrialVerdict | null {
  if (paths === undefined) return null;
  return triedNow(core, { team, objects: paths.map((path) => ({ subject: "git.path", repo, path })) });
}

function bodyOf(core: Core, run: Run, line: AuditLine): EventBody {
  switch (line.kind) {
    case "egress": {
      const trial = trialOfHost(core, run, line);
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
        ...(trial === null ? {} : { trial: triedAs(trial) }),
      };
    }
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
    case "push": {
      const trial = trialOfPush(core, run, line);
      return {
        kind: "push.decided",
        branch: line.branch,
        oid: line.oid,
        outcome: line.outcome,
        reason: line.reason,
        rule: line.rule,
        detail: line.detail,
        ...(line.paths === undefined ? {} : { paths: [...line.paths] }),
        ...(line.asks === undefined ? {} : { asks: line.asks }),
        ...(trial === null ? {} : { trial: triedAs(trial) }),
      };
    }
    default:
      return line satisfies never;
  }
}
