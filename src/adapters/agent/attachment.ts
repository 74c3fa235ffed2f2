import { AgentError, type AgentEvent, type AgentProfile } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { parseMessage } from "./jsonrpc.ts";
import { killLeftovers } from "./leftovers.ts";
import { type Answered, type SessionFold, sessionFold } from "./session.ts";
import { wire } from "./wire.ts";

interface Entry {
  readonly cursor: number;
  readonly event: AgentEvent;
}

/** Our end of one agent process: reads its journals from the first byte, keeps its events, writes in order. */
export interface Attachment {
  readonly fold: SessionFold;
  /** Resolves when all that was written and read before us is known; only then is there a present to act on. */
  ready(signal: AbortSignal): Promise<void>;
  /** Sends a request unless it was sent before, and waits for its answer. */
  request(id: string, method: string, params: object, signal: AbortSignal): Promise<Answered>;
  sentMethod(id: string): string | undefined;
  /**
   * Writes what `build` gives for the state as it then is, or nothing for `null`. True when something was written.
   * Lines are neither read nor written while it runs, so that the order of the journals is the order we acted in.
   */
  append(build: (fold: SessionFold) => object | null): Promise<boolean>;
  exited(): boolean;
  /** Runs what ends the agent and all that runs beside it; what is left is looked for afterwards. */
  end(act: () => Promise<void>): Promise<void>;
  /** False when `withinMs` went by first. Throws when the sandbox is lost or the attachment ended. */
  until(condition: () => boolean, withinMs: number | null): Promise<boolean>;
  events(cursor: number, signal: AbortSignal): AsyncIterable<Entry>;
}

export function attachment(o: {
  sandbox: Sandbox;
  procId: string;
  profile: AgentProfile;
  signal: AbortSignal;
}): Attachment {
  const { sandbox, procId, profile } = o;
  const fold = sessionFold({ procId, workdir: sandbox.workdir, profile });
  const journal = wire(sandbox, procId);
  const methods = new Map<string, string>();
  const log: Entry[] = [];
  const waiting = new Set<() => void>();
  let exited = false;
  let upToDate = false;
  let lost: { readonly error: unknown } | null = null;
  let ending: Promise<void> | null = null;
  let turnstile: Promise<unknown> = Promise.resolve();

  /** One at a time, in the order of asking; a failure is the asker's, not the next one's. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const mine = turnstile.then(act);
    turnstile = mine.catch(() => undefined);
    return mine;
  }

  function ring(): void {
    for (const wake of waiting) wake();
    waiting.clear();
  }

  function knowSent(text: string): void {
    const message = parseMessage(text);
    if (!message) return;
    if (message.kind === "request") methods.set(String(message.id), message.method);
    fold.sent(message);
  }

  async function write(build: (fold: SessionFold) => object | null): Promise<boolean | "ended"> {
    for (;;) {
      const message = build(fold);
      if (message === null) return false;
      const how = await journal.write(message);
      if (how === "ended") return "ended";
      if (how === "written") {
        knowSent(JSON.stringify(message));
        return true;
      }
      const before = journal.written();
      for (const line of await journal.catchUp()) knowSent(line.text);
      if (journal.written() === before) throw new AgentError("the agent's input takes nothing and shows nothing new");
    }
  }

  /** A line of n bytes holds fewer than n events, so `at + index` never meets the next line's cursors. */
  function keep(at: number, events: readonly AgentEvent[]): void {
    for (const [index, event] of events.entries()) log.push({ cursor: at + 1 + index, event });
  }

  async function refuseStrangers(): Promise<void> {
    for (const request of fold.foreignRequests()) {
      const error = { code: -32601, message: `method not found: ${request.method}` };
      await write(() => (exited ? null : { id: request.id, error }));
    }
  }

  async function readLines(follow: boolean): Promise<void> {
    for await (const line of journal.lines({ follow, signal: o.signal })) {
      await inTurn(async () => {
        const message = parseMessage(line.text);
        if (message) keep(line.at, fold.received(message));
        if (message?.kind === "request") await refuseStrangers();
      });
      ring();
    }
  }

  async function readAll(): Promise<void> {
    await inTurn(async () => {
      for (const line of await journal.catchUp()) knowSent(line.text);
    });
    await readLines(false);
    upToDate = true;
    ring();
    await readLines(true);
    o.signal.throwIfAborted();
    // The tree is empty before anyone hears of the end: a killed agent's shells would go on writing.
    // Beside a `killAll` the look would be killed too, and begin again. Whoever asked for the end hears of its failure.
    await ending?.catch(() => undefined);
    await killLeftovers(sandbox, procId, "all");
    const info = (await sandbox.processes()).find((process) => process.procId === procId);
    await inTurn(async () => {
      keep(journal.read(), fold.exited({ code: info?.exit?.code ?? null, signal: info?.exit?.signal ?? null }));
      exited = true;
    });
    ring();
  }

  readAll().catch((error: unknown) => {
    lost = { error };
    ring();
  });

  /** Resolves at the next change. */
  function change(signal: AbortSignal | null): Promise<void> {
    if (lost) return Promise.reject(lost.error);
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal?.removeEventListener("abort", stop);
        lost ? reject(lost.error) : resolve();
      };
      const stop = () => {
        waiting.delete(wake);
        reject(signal?.reason);
      };
      if (signal?.aborted) return stop();
      signal?.addEventListener("abort", stop, { once: true });
      waiting.add(wake);
    });
  }

  async function until(condition: () => boolean, withinMs: number | null): Promise<boolean> {
    const limit = withinMs === null ? null : AbortSignal.timeout(withinMs);
    while (!condition()) {
      try {
        await change(limit);
      } catch (error) {
        if (limit?.aborted && !lost) return condition();
        throw error;
      }
    }
    return true;
  }

  return {
    fold,
    async ready(signal) {
      while (!upToDate) await change(signal);
    },
    async request(id, method, params, signal) {
      await inTurn(() => write(() => (fold.wasSent(id) || exited ? null : { id, method, params })));
      for (;;) {
        const answer = fold.answered(id);
        if (answer) return answer;
        if (exited) throw new AgentError("it ended before it was ready");
        await change(signal);
      }
    },
    sentMethod: (id) => methods.get(id),
    async append(build) {
      if (lost) throw lost.error;
      const wrote = await inTurn(() => write(build)).finally(ring);
      if (wrote !== "ended") return wrote;
      // Its end is on the way to us; `build` is asked again when it is known, and says what that means.
      await until(() => exited, null);
      return (await inTurn(() => write(build)).finally(ring)) === true;
    },
    exited: () => exited,
    end(act) {
      ending = act();
      return ending;
    },
    until,
    async *events(cursor, signal) {
      let next = log.findIndex((entry) => entry.cursor > cursor);
      if (next < 0) next = log.length;
      for (;;) {
        signal.throwIfAborted();
        const entry = log[next];
        if (!entry) {
          if (exited) return;
          await change(signal);
          continue;
        }
        next += 1;
        if (entry.cursor <= cursor) continue;
        yield entry;
        if (entry.event.kind === "agent.exited") return;
      }
    },
  };
}
