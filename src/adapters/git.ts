import { spawn } from "node:child_process";

export interface GitResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** More was printed than `maxBytes`; git was stopped there. */
  readonly truncated: boolean;
}

export interface GitOptions {
  /** The bare repository to work in. */
  readonly gitDir?: string;
  readonly input?: string | Uint8Array;
  /** Added to the clean environment, for instance the author of a commit. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes of stdout to keep. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Default 60 s. A command that takes longer is killed and rejects. */
  readonly timeoutMs?: number;
}

/** Resolves with any exit code; rejects only when git cannot be run or does not end in time. */
export type Git = (args: readonly string[], o?: GitOptions) => Promise<GitResult>;

/** What a repository of somebody else could otherwise switch on: hooks, monitors, background repacking, odd transports. */
const SETTINGS = [
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["receive.autogc", "false"],
  ["protocol.ext.allow", "never"],
].flatMap(([key, value]) => ["-c", `${key}=${value}`]);

/** The environment git gets, whole: nothing of the operator's own git reaches it. `home` must be an empty folder. */
export function gitEnvironment(o: { home: string; path?: string }): Record<string, string> {
  return {
    PATH: o.path ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: o.home,
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_ALLOW_PROTOCOL: "file:http:https:ssh:git",
    GIT_SSH_COMMAND: "ssh -oBatchMode=yes",
  };
}

/** Runs git without a shell, without hooks and without anybody's configuration. `path` is where git is looked for. */
export function cleanGit(o: { home: string; path?: string }): Git {
  const environment = gitEnvironment(o);
  return (args, options = {}) =>
    new Promise((resolve, reject) => {
      const maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
      const timeoutMs = options.timeoutMs ?? 60_000;
      const where = options.gitDir === undefined ? [] : [`--git-dir=${options.gitDir}`];
      const child = spawn("git", [...SETTINGS, ...where, ...args], {
        cwd: o.home,
        env: { ...environment, ...options.env },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const out: Buffer[] = [];
      let size = 0;
      let stderr = "";
      let truncated = false;
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, timeoutMs);
      child.stdout.on("data", (chunk: Buffer) => {
        if (truncated) return;
        const room = maxBytes - size;
        if (chunk.length > room) {
          truncated = true;
          out.push(chunk.subarray(0, room));
          child.kill("SIGTERM");
          return;
        }
        size += chunk.length;
        out.push(chunk);
      });
      child.stderr.on("data", (chunk: Buffer) => {
        if (stderr.length < 64 * 1024) stderr += chunk.toString("utf8");
      });
      // git may end before it has read everything; its exit code says what that means.
      child.stdin.on("error", () => {});
      child.stdin.end(options.input ?? "");
      child.on("error", (error) => {
        clearTimeout(timer);
        reject(new Error("git could not be run; is it installed?", { cause: error }));
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        if (late) return reject(new Error(`git ${args[0] ?? ""} did not end within ${timeoutMs / 1000} s`));
        resolve({ code: code ?? (truncated ? 0 : 128), stdout: Buffer.concat(out), stderr, truncated });
      });
    });
}

/** The trimmed output of a command that must succeed. */
export async function gitText(git: Git, args: readonly string[], o?: GitOptions): Promise<string> {
  const result = await git(args, o);
  if (result.code !== 0) throw new Error(`git ${args[0] ?? ""} ended with ${result.code}: ${lastLine(result.stderr)}`);
  return result.stdout.toString("utf8").trim();
}

/** The last thing git said, without the credentials a URL may carry. */
export function lastLine(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  return withoutCredentials(line.replace(/^(fatal|error): /, "")) || "git gave no reason";
}

/** "https://user:word@host/x" as "https://host/x". */
export function withoutCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@']*@/gi, "$1");
}
