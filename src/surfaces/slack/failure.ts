import { ErrorCode } from "@slack/web-api";

/** What a failed call to Slack means for whoever made it. */
export type Failure =
  /** Slack has not done it, and says when to come back. */
  | { readonly kind: "limited"; readonly afterMs: number }
  /** It may have been done: the answer was lost, or Slack broke while working. */
  | { readonly kind: "unknown" }
  /** Slack has not done it, for a reason of its own. */
  | { readonly kind: "refused"; readonly error: string };

/** Slack's errors that say nothing about whether the call took effect. */
const BROKE: readonly string[] = ["internal_error", "fatal_error", "service_unavailable", "request_timeout"];

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error) || !("code" in error)) return { kind: "unknown" };
  if (error.code === ErrorCode.RateLimitedError && "retryAfter" in error) {
    return { kind: "limited", afterMs: Number(error.retryAfter) * 1_000 };
  }
  if (error.code === ErrorCode.PlatformError && "data" in error) {
    const name = (error.data as { error?: string }).error ?? "unknown";
    if (name === "ratelimited") return { kind: "limited", afterMs: 30_000 };
    return BROKE.includes(name) ? { kind: "unknown" } : { kind: "refused", error: name };
  }
  return { kind: "unknown" };
}
