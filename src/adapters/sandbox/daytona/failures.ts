import { SandboxError } from "#ports/sandbox.ts";
import { VendorError } from "./vendor.ts";

/** A failure in the port's words; what is none of the platform's stays what it is. */
export function named(error: unknown, what: string): unknown {
  return error instanceof VendorError ? unavailable(error, what) : error;
}

export function unavailable(error: unknown, what: string): SandboxError {
  if (error instanceof SandboxError) return error;
  const code = error instanceof VendorError && error.kind === "not_found" ? "gone" : "unavailable";
  return new SandboxError(code, `${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** Why Daytona refused an order. It has no code for it; that it is about the network shows in its words. */
export function refusal(error: VendorError): SandboxError {
  if (!/network|domain|allow.?list|tier/i.test(error.message)) {
    return new SandboxError("unsupported", error.message, { cause: error });
  }
  const why = `${error.message}. Without an allow list a sandbox reaches what it likes, and Daytona holds one from its third tier on`;
  return new SandboxError("policy_unenforceable", why, { cause: error });
}
