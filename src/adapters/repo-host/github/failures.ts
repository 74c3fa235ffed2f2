import { RepoHostError, type RepoHostErrorCode } from "#ports/repo-host.ts";

/** What an API call that failed says of itself; `null`: it is no failed API call. */
export interface Failure {
  /** HTTP status; 500 when nothing was answered. */
  readonly status: number;
  /** What GitHub said, in one line. */
  readonly said: string;
  /** Seconds until a used-up limit is filled again; `null`: it is not about a limit. */
  readonly limitedForSec: number | null;
}

export function failureOf(error: unknown): Failure | null {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return null;
  const answer = "response" in error ? (error.response as Answer | undefined) : undefined;
  const headers = answer?.headers ?? {};
  const limited = error.status === 429 || headers["x-ratelimit-remaining"] === "0" || /rate limit/i.test(error.message);
  return {
    status: error.status,
    said: saidIn(answer?.data) ?? oneLine(error.message),
    limitedForSec: limited ? waitOf(headers) : null,
  };
}

interface Answer {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly data?: unknown;
}

function waitOf(headers: NonNullable<Answer["headers"]>): number {
  const after = Number(headers["retry-after"]);
  if (Number.isFinite(after) && after > 0) return after;
  const reset = Number(headers["x-ratelimit-reset"]);
  return Number.isFinite(reset) && reset > 0 ? Math.max(0, Math.ceil(reset - Date.now() / 1000)) : 60;
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, 500);

/** "Validation Failed" alone helps nobody: what it is about stands in `errors`, as texts or as objects. */
function saidIn(data: unknown): string | null {
  if (typeof data !== "object" || data === null) return null;
  const { message, errors } = data as { message?: unknown; errors?: unknown };
  if (typeof message !== "string") return null;
  const details = (Array.isArray(errors) ? errors : []).map((one: unknown) => {
    if (typeof one === "string") return one;
    const { message: why, field, code } = (one ?? {}) as { message?: unknown; field?: unknown; code?: unknown };
    return typeof why === "string" ? why : [field, code].filter((part) => typeof part === "string").join(" ");
  });
  const all = details.filter((detail) => detail !== "");
  return oneLine(all.length > 0 ? `${message}: ${all.join("; ")}` : message);
}

const CODES: Readonly<Record<number, RepoHostErrorCode>> = {
  401: "denied",
  403: "denied",
  404: "not_found",
  409: "invalid",
  410: "denied",
  422: "invalid",
  451: "denied",
};

/**
 * A failed call as the port's error, with a sentence that says what was tried and what GitHub said to it. What is no
 * failed call of GitHub's is returned as it is: it is a bug of ours.
 */
export function asRepoHostError(error: unknown, tried: string): unknown {
  const failure = failureOf(error);
  if (failure === null) return error;
  if (failure.limitedForSec !== null) {
    const wait = `GitHub's rate limit is used up for about ${Math.max(1, Math.ceil(failure.limitedForSec / 60))} min`;
    return new RepoHostError("unavailable", `${tried}: ${wait}`, { cause: error });
  }
  const code = CODES[failure.status] ?? "unavailable";
  const hint =
    failure.status === 403 && /not accessible by integration/i.test(failure.said)
      ? ". Give the GitHub App that permission in its settings, then have the owner accept it"
      : "";
  return new RepoHostError(code, `${tried}: GitHub says "${failure.said}" (${failure.status})${hint}`, {
    cause: error,
  });
}

/** Runs one act on GitHub; what fails of it is the port's error. */
export async function told<T>(tried: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw asRepoHostError(error, tried);
  }
}
