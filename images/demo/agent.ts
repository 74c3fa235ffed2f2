/**
 * The demo agent: a real ACP v1 agent over stdio whose only unreal part is its model, which is scripted. It calls the
 * model through the gateway, asks permission, runs the command, keeps its transcript and goes on from it after a kill.
 * Environment: MODEL_BASE_URL, MODEL_TOKEN, MODEL_NAME, HOME, HTTP_PROXY, HTTPS_PROXY.
 */
import { type Fields, listen, RpcFailure } from "./rpc.ts";
import { killGroups } from "./shell.ts";
import { allSessions, findSession, newSession, restoreSession, type Session } from "./transcript.ts";
import { playTurn, setElicitation, update } from "./turn.ts";

const settings = {
  baseUrl: process.env.MODEL_BASE_URL ?? "",
  token: process.env.MODEL_TOKEN ?? "",
  model: process.env.MODEL_NAME ?? "scripted",
};
if (settings.baseUrl === "") {
  process.stderr.write("MODEL_BASE_URL is not set: the demo agent has no model to call.\n");
  process.exit(1);
}

listen({
  methods: {
    initialize(params) {
      const able = params.clientCapabilities as { elicitation?: { form?: object } | null } | undefined;
      setElicitation(Boolean(able?.elicitation?.form));
      return {
        protocolVersion: 1,
        agentInfo: { name: "demo-agent", title: "demo: scripted model", version: "1.0.0" },
        agentCapabilities: {
          loadSession: true,
          promptCapabilities: {},
          sessionCapabilities: { resume: {}, close: {} },
        },
        authMethods: [],
      };
    },
    "session/new": (params) => ({ sessionId: newSession(String(params.cwd)).id }),
    "session/resume": (params) => {
      restore(params);
      return {};
    },
    "session/load": (params) => {
      const session = restore(params);
      for (const message of session.messages) {
        if ((message.role !== "user" && message.role !== "assistant") || !message.content) continue;
        const sessionUpdate = message.role === "user" ? "user_message_chunk" : "agent_message_chunk";
        update(session, { sessionUpdate, content: { type: "text", text: message.content } });
      }
      return {};
    },
    "session/close": (params) => {
      const session = findSession(params.sessionId);
      if (session) cancel(session);
      return {};
    },
    "session/prompt": prompt,
  },
  notified(method, params) {
    const session = findSession(params.sessionId);
    if (method === "session/cancel" && session) cancel(session);
  },
  closed() {
    for (const session of allSessions()) cancel(session);
    process.exit(0);
  },
});

async function prompt(params: Fields): Promise<Fields> {
  const session = findSession(params.sessionId);
  if (!session) throw new RpcFailure(-32602, "unknown session");
  if (session.busy) throw new RpcFailure(-32600, "a prompt is already running");
  const blocks = Array.isArray(params.prompt) ? (params.prompt as { text?: string }[]) : [];
  session.abort = new AbortController();
  session.busy = true;
  session.messages.push({ role: "user", content: blocks.map((block) => block.text ?? "").join("\n") });
  try {
    return { stopReason: await playTurn(session, settings) };
  } catch (error) {
    if (session.abort.signal.aborted) return { stopReason: "cancelled" };
    throw error;
  } finally {
    session.busy = false;
    session.running = null;
    session.groups.clear();
  }
}

function restore(params: Fields): Session {
  try {
    return restoreSession(String(params.sessionId), typeof params.cwd === "string" ? params.cwd : undefined);
  } catch (error) {
    throw new RpcFailure(-32002, `the session cannot be restored: ${(error as Error).message}`);
  }
}

function cancel(session: Session): void {
  session.abort.abort();
  killGroups(session);
}
