import { type Agent, type AgentDriver, AgentError, type AgentProfile } from "#ports/agent.ts";
import { type Sandbox, SandboxError } from "#ports/sandbox.ts";
import { attachment } from "./attachment.ts";
import { killLeftovers, MARK, markFor } from "./leftovers.ts";
import { INIT, OPEN, optionFor, REOPEN, turnId } from "./session.ts";

/** An agent that does not end its turn when asked is ended with it. The real ones need 0.03 to 0.8 s (measured). */
const CANCEL_GRACE_MS = 10_000;

/** How we introduce ourselves: no files and no terminal of ours, since tools run inside the sandbox; failures typed. */
const INITIALIZE = {
  protocolVersion: 1,
  clientInfo: { name: "countersign", version: "1" },
  clientCapabilities: {
    fs: { readTextFile: false, writeTextFile: false },
    terminal: false,
    _meta: { jetbrains: { air: { version: 1, capabilities: ["sessionFailure"] } } },
  },
};

/**
 * Drives any agent that speaks the Agent Client Protocol v1 over stdio. The sandbox journals both directions by byte, so
 * an attachment is rebuilt from the journals alone and nothing is sent twice.
 */
export function acpAgents(o: { profile: AgentProfile }): AgentDriver {
  const { profile } = o;

  async function launch(
    sandbox: Sandbox,
    procId: string,
    { token, model, env: more }: { token: string; model: string; env?: Readonly<Record<string, string>> },
  ): Promise<void> {
    const known = await sandbox.processes();
    if (known.some((process) => process.procId === procId)) return;
    await sandbox.killAll();
    const { home, workdir, imageDir, gatewayUrl } = sandbox;
    const how = profile.launch({ home, workdir, imageDir, gatewayUrl, token, model });
    for (const [path, content] of Object.entries(how.files)) await sandbox.write(path, content, { mode: 0o600 });
    const env = { ...more, ...how.env, [MARK]: markFor(sandbox, procId) };
    await sandbox.start(procId, { argv: how.argv, cwd: workdir, env });
  }

  return {
    profile,
    async open(sandbox, { procId, restore = null, signal, ...how }) {
      signal.throwIfAborted();
      await launch(sandbox, procId, how);
      const detach = new AbortController();
      const line = attachment({ sandbox, procId, profile, signal: AbortSignal.any([signal, detach.signal]) });
      const deadline = AbortSignal.timeout(profile.startDeadlineMs);
      try {
        await shakeHands(line, profile, { workdir: sandbox.workdir, restore }, AbortSignal.any([signal, deadline]));
      } catch (error) {
        detach.abort();
        if (signal.aborted) throw signal.reason;
        if (error instanceof SandboxError) throw error;
        const words = deadline.aborted ? `did not start within ${profile.startDeadlineMs / 1000} s` : "did not start";
        const tail = await stderrTail(sandbox, procId);
        await endTree(sandbox, procId);
        const why = error instanceof AgentError ? `: ${error.message}` : "";
        throw new AgentError(`${profile.title} ${words}${why}${tail}`, { cause: error });
      }
      return agent(sandbox, procId, line);
    },
  };
}

type Attachment = ReturnType<typeof attachment>;

/** Initialise, then open or restore the session. Each step is skipped when the journals show it done. */
async function shakeHands(
  line: Attachment,
  profile: AgentProfile,
  o: { workdir: string; restore: string | null },
  signal: AbortSignal,
): Promise<void> {
  await line.ready(signal);
  const hello = await line.request(INIT, "initialize", INITIALIZE, signal);
  if (hello.error) throw new AgentError(hello.error.message);
  if (hello.result.protocolVersion !== 1) {
    throw new AgentError(`it speaks version ${JSON.stringify(hello.result.protocolVersion)} of the protocol, not 1`);
  }
  const where = { cwd: o.workdir, mcpServers: [] };
  const back = o.restore !== null && profile.restore !== "none" ? { ...where, sessionId: o.restore } : null;
  const method = back ? `session/${profile.restore}` : "session/new";
  const opened = await line.request(OPEN, method, back ?? where, signal);
  if (!opened.error) return;
  const asked = line.sentMethod(OPEN);
  if (asked === "session/new") throw new AgentError(opened.error.message);
  const fresh = await line.request(REOPEN, "session/new", where, signal);
  if (fresh.error) throw new AgentError(fresh.error.message);
}

function agent(sandbox: Sandbox, procId: string, line: Attachment): Agent {
  const stop = async () => {
    await line.end(() => endTree(sandbox, procId));
    await line.until(() => line.exited(), null);
  };

  return {
    async prompt(turn, said) {
      await line.append((fold) => {
        if (fold.wasSent(turnId(turn))) return null;
        if (line.exited()) throw new AgentError("the agent is gone");
        const running = fold.running();
        if (running !== null) throw new AgentError(`the turn ${running} is still running`);
        const params = { sessionId: fold.session(), prompt: [{ type: "text", text: said }] };
        return { id: turnId(turn), method: "session/prompt", params };
      });
    },

    async answer(ask, decision) {
      let outcome: "applied" | "stale" = "stale";
      await line.append((fold) => {
        const known = fold.ask(ask);
        const option = known ? optionFor(known.options, decision) : null;
        const chosen = fold.answerTo(ask);
        outcome = known !== undefined && chosen !== undefined && chosen === option ? "applied" : "stale";
        const pending = fold.pendingAsks().find((it) => it.ask === ask);
        if (!pending || line.exited()) return null;
        outcome = "applied";
        // Without an option that fits, a permission cannot be given; "cancelled" is the protocol's way to say no.
        if (option === null && decision === "allow") throw new AgentError("the agent offers no way to allow this once");
        return {
          id: pending.id,
          result: { outcome: option === null ? CANCELLED : { outcome: "selected", optionId: option } },
        };
      });
      return outcome;
    },

    async cancel() {
      const turn = line.fold.running();
      if (turn === null || line.exited()) return;
      await line.append((fold) => {
        if (fold.running() !== turn || fold.cancelSent(turn) || line.exited()) return null;
        return { method: "session/cancel", params: { sessionId: fold.session() } };
      });
      for (let more = true; more; ) {
        // The protocol asks the client to answer what is pending with "cancelled" after a cancel.
        more = await line.append((fold) => {
          const pending = fold.pendingAsks()[0];
          return pending && !line.exited() ? { id: pending.id, result: { outcome: CANCELLED } } : null;
        });
      }
      const ended = await line.until(() => line.fold.running() !== turn || line.exited(), CANCEL_GRACE_MS);
      if (!ended) await stop();
      else if (!line.exited()) await killLeftovers(sandbox, procId, "tools");
    },

    stop,
    events: (cursor, signal) => line.events(cursor, signal),
  };
}

const CANCELLED = { outcome: "cancelled" };

async function endTree(sandbox: Sandbox, procId: string): Promise<void> {
  await sandbox.kill(procId, "KILL");
  await sandbox.killAll();
}

/** The last words of an agent that did not start: they name the cause better than we can. */
async function stderrTail(sandbox: Sandbox, procId: string): Promise<string> {
  let tail = Buffer.alloc(0);
  const signal = AbortSignal.timeout(5_000);
  try {
    for await (const chunk of sandbox.output(procId, "err", 0, { follow: false, signal })) {
      tail = Buffer.concat([tail, chunk]).subarray(-500);
    }
  } catch {
    // The failure to start is what is reported; a sandbox that cannot show its words adds nothing to it.
    return "";
  }
  const words = tail.toString("utf8").trim();
  return words === "" ? "" : `\n${words}`;
}
