import { type Capabilities, SandboxError, type SandboxSpec } from "#ports/sandbox.ts";

/** The port's bound on `exec`. */
const LONGEST_EXEC_MS = 10 * 60_000;

/** Throws "invalid" for a spec no provider of ours can honour. The key travels in one line to the gateway. */
export function checkSpec(spec: SandboxSpec): void {
  const wrong = !/^[\x21-\x7e]{1,200}$/.test(spec.key)
    ? "key must be 1 to 200 printable ASCII characters without spaces"
    : !/^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/.test(spec.image)
      ? "image must be a plain name"
      : spec.gateway !== null && !/^unix:\/[^\0]+$/.test(spec.gateway)
        ? 'gateway must be "unix:/path" or null'
        : !(spec.ttlMs > 0 && Number.isFinite(spec.ttlMs))
          ? "ttlMs must be positive"
          : !(Number.isInteger(spec.limits.memoryMiB) && spec.limits.memoryMiB >= 64)
            ? "limits.memoryMiB must be a whole number of at least 64"
            : !(Number.isInteger(spec.limits.pids) && spec.limits.pids >= 16)
              ? "limits.pids must be a whole number of at least 16"
              : null;
  const { cpus, diskMiB } = spec.limits;
  const whole = (value: number | undefined, least: number) =>
    value === undefined || (Number.isInteger(value) && value >= least);
  const oversized = !whole(cpus, 1)
    ? "limits.cpus must be a whole number of at least 1"
    : !whole(diskMiB, 64)
      ? "limits.diskMiB must be a whole number of at least 64"
      : null;
  if (wrong !== null || oversized !== null) throw new SandboxError("invalid", wrong ?? oversized ?? "");
}

/** Throws "policy_unenforceable" for processors or a disk that the provider was not seen to hold a sandbox to. */
export function checkHeld(spec: SandboxSpec, { limits }: Pick<Capabilities, "limits">, provider: string): void {
  const { cpus, diskMiB } = spec.limits;
  const loose = [
    ...(cpus !== undefined && limits.cpu === "none" ? ["processors"] : []),
    ...(diskMiB !== undefined && limits.disk === "none" ? ["disk"] : []),
  ];
  if (loose.length === 0) return;
  throw new SandboxError("policy_unenforceable", `${provider} cannot hold a sandbox to a limit on ${loose.join(", ")}`);
}

/** Throws "invalid" for a process id that cannot be a file name. */
export function checkProcId(procId: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(procId)) {
    throw new SandboxError("invalid", `${JSON.stringify(procId)} is not a process id: letters, digits, ".", "_", "-"`);
  }
}

/** Throws "invalid" for a time limit outside 1 ms to 10 minutes. */
export function checkLimit(timeoutMs: number): void {
  if (!(timeoutMs >= 1 && timeoutMs <= LONGEST_EXEC_MS)) {
    throw new SandboxError("invalid", `timeoutMs must be between 1 and ${LONGEST_EXEC_MS}`);
  }
}
