import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { ChatMessage } from "./model.ts";

/** One conversation, on disk after every step, so that a killed agent can go on from its last one. */
export interface Session {
  readonly id: string;
  readonly cwd: string;
  readonly messages: ChatMessage[];
  /** The call whose effect may be under way; set before it starts, so a crash is told from a wait. */
  running: string | null;
  abort: AbortController;
  busy: boolean;
  /** Process groups started by tools, so that a cancel can end them all. */
  readonly groups: Set<number>;
}

const folder = path.join(process.env.HOME ?? ".", ".demo-agent");
const sessions = new Map<string, Session>();

export const findSession = (id: unknown): Session | undefined => sessions.get(String(id));
export const allSessions = (): Iterable<Session> => sessions.values();

function open(id: string, cwd: string, messages: ChatMessage[]): Session {
  const session: Session = {
    id,
    cwd,
    messages,
    running: null,
    abort: new AbortController(),
    busy: false,
    groups: new Set(),
  };
  sessions.set(id, session);
  return session;
}

export function newSession(cwd: string): Session {
  const session = open(randomUUID(), cwd, []);
  save(session);
  return session;
}

export function save(session: Session): void {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = fileOf(session.id);
  const { cwd, messages, running } = session;
  fs.writeFileSync(`${file}.tmp`, JSON.stringify({ cwd, messages, running }), { mode: 0o600 });
  fs.renameSync(`${file}.tmp`, file);
}

/** Reads a session of an earlier process; calls it left open are answered with what is known of them. */
export function restoreSession(id: string, cwd: string | undefined): Session {
  const kept = JSON.parse(fs.readFileSync(fileOf(id), "utf8")) as {
    cwd: string;
    messages: ChatMessage[];
    running: string | null;
  };
  const session = open(id, cwd ?? kept.cwd, kept.messages);
  const answered = new Set(kept.messages.flatMap((it) => (it.role === "tool" ? [it.tool_call_id] : [])));
  const calls = kept.messages.flatMap((it) => (it.role === "assistant" ? (it.tool_calls ?? []) : []));
  for (const call of calls.filter((it) => !answered.has(it.id))) {
    const content =
      call.id === kept.running
        ? "Interrupted: the outcome is unknown. Check before relying on it."
        : "Interrupted before it ran: nothing was done.";
    session.messages.push({ role: "tool", tool_call_id: call.id, content });
  }
  save(session);
  return session;
}

function fileOf(id: string): string {
  if (!/^[0-9a-f-]{36}$/.test(id)) throw new Error("unknown session");
  return path.join(folder, `${id}.json`);
}
