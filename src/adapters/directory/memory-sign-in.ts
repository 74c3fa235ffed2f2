import { randomUUID } from "node:crypto";
import type { ExternalId } from "#ports/directory.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";

export interface MemorySignIn extends SignIn {
  /** What a person's consent does: the query that their browser comes back with. */
  consent(url: string, who: ExternalId): string;
  /** The same for a person who says no. */
  decline(url: string): string;
  /** While set, nobody answers. */
  fail(message: string | null): void;
}

/** Consents on a call. For tests. */
export function memorySignIn(): MemorySignIn {
  const codes = new Map<string, { readonly who: ExternalId; readonly nonce: string }>();
  let problem: string | null = null;
  const alive = () => {
    if (problem !== null) throw new SignInUnavailable(problem);
  };
  const of = (url: string, name: string): string => new URL(url).searchParams.get(name) ?? "";
  return {
    consent(url, who) {
      const code = randomUUID();
      codes.set(code, { who, nonce: of(url, "nonce") });
      return `?${new URLSearchParams({ code, state: of(url, "state") })}`;
    },
    decline: (url) => `?${new URLSearchParams({ error: "access_denied", state: of(url, "state") })}`,
    fail(message) {
      problem = message;
    },
    async begin() {
      alive();
      const [state, nonce] = [randomUUID(), randomUUID()];
      return { url: `https://id.example/authorize?${new URLSearchParams({ state, nonce })}`, state, nonce };
    },
    async finish(query, expected) {
      alive();
      const given = new URLSearchParams(query);
      if (given.get("state") !== expected.state) throw new SignInRefused("another state");
      const code = given.get("code") ?? "";
      const known = codes.get(code);
      codes.delete(code);
      if (known === undefined) throw new SignInRefused(given.get("error") ?? "no such code");
      if (known.nonce !== expected.nonce) throw new SignInRefused("another nonce");
      return known.who;
    },
  };
}
