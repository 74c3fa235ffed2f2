import { spawn } from "node:child_process";

export interface GitOutput {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** More was printed than was kept; git was stopped there. */
  readonly truncated: boolean;
}

export interface GitCall {
  readonly gitDir?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes of stdout to keep. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Default two minutes; then git is killed and its code is -1. */
  readonly timeoutMs?: number;
  /** Gets stdout as it comes; nothing is kept then. `false` stops git. */
  readonly onData?: (chunk: Buffer) => boolean;
}

/** Runs git with any exit code as a result. Rejects only when it cannot be started. */
export type Git = (args: readonly string[], call?: GitCall) => Promise<GitOutput>;

/**
 * The whole environment of every git of ours: nothing of the operator's own configuration, no prompt, no replaced
 * objects, no attributes from a repository's own tree.
 */
export function gitEnvironment(home: string): Record<string, string> {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: home,
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: `${home}/gitconfig`,
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_ALLOW_PROTOCOL: "file:http:https:ssh:git",
    GIT_SSH_COMMAND: "ssh -oBatchMode=yes",
  };
}

/**
 * The only global configuration our gits read. A mirror's source may belong to another user of this machine: reading
 * it is what the operator asked for, and its hooks and filters do not run in upload-pack.
 */
export const GIT_CONFIG = [
  "[safe]",
  "\tdirectory = *",
  "[core]",
  "\thooksPath = /dev/null",
  "\tfsmonitor = false",
  "\tquotePath = false",
  "\tbigFileThreshold = 16m",
  "[gc]",
  "\tauto = 0",
  "[maintenance]",
  "\tauto = false",
  "[receive]",
  "\tautogc = false",
  '[protocol "ext"]',
  "\tallow = never",
  "",
].join("\n");

/** Settings for one git call, as environment: they outrank every file and show in no process list. */
export function gitSettings(settings: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(settings);
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(entries.length) };
  for (const [i, [key, value]] of entries.entries()) {
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  }
  return env;
}

export function gitIn(home: string): Git {
  return (args, call = {}) =>
    new Promise((resolve, reject) => {
      const where = call.gitDir === undefined ? [] : [`--git-dir=${call.gitDir}`];
      const child = spawn("git", [...where, ...args], { env: { ...gitEnvironment(home), ...call.env }, cwd: "/" });
      const chunks: Buffer[] = [];
      let size = 0;
      let stderr = "";
      let truncated = false;
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, call.timeoutMs ?? 120_000);
      child.stdout.on("data", (chunk: Buffer) => {
        size += chunk.length;
        const goOn = call.onData ? call.onData(chunk) : size <= (call.maxBytes ?? 64 * 1024 * 1024);
        if (!call.onData && goOn) chunks.push(chunk);
        if (!goOn && !truncated) {
          truncated = true;
          child.kill("SIGKILL");
        }
      });
      child.stderr.on("data", (chunk: Buffer) => {
        if (stderr.length < 16_384) stderr += chunk.toString("utf8");
      });
      child.once("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.once("close", (code) => {
        clearTimeout(timer);
        resolve({ code: late ? -1 : (code ?? -1), stdout: Buffer.concat(chunks), stderr: stderr.trim(), truncated });
      });
      // Git may end before it has read all: what it says is the news, not the broken pipe.
      child.stdin.on("error", () => undefined);
      child.stdin.end(call.input ?? "");
    });
}
