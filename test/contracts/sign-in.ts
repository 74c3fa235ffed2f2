import { describe, expect, test } from "vitest";
import type { ExternalId } from "#ports/directory.ts";
import { type SignIn, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";

/** An identity provider under test, and the person in front of it. */
export interface SignInWorld {
  readonly signIn: SignIn;
  readonly who: ExternalId;
  /** The person follows the address and consents; the query they come back with. */
  consent(url: string): Promise<string>;
  /** The person says no there. */
  decline(url: string): Promise<string>;
  /** The provider stops answering. */
  cut(): Promise<void>;
}

/** What everybody who vouches for people promises. `world` makes a fresh one. */
export function signInContract(name: string, world: () => Promise<SignInWorld>): void {
  describe(`sign-in: ${name}`, () => {
    test("who consents comes back as who they are", async () => {
      const { signIn, who, consent } = await world();
      const attempt = await signIn.begin();
      expect(await signIn.finish(await consent(attempt.url), attempt)).toEqual(who);
    });

    test("two attempts have nothing in common", async () => {
      const { signIn } = await world();
      const [one, other] = [await signIn.begin(), await signIn.begin()];
      expect(one.state).not.toBe(other.state);
      expect(one.nonce).not.toBe(other.nonce);
      expect(one.state).not.toBe(one.nonce);
    });

    test("what came back is good once", async () => {
      const { signIn, consent } = await world();
      const attempt = await signIn.begin();
      const query = await consent(attempt.url);
      await signIn.finish(query, attempt);
      await expect(signIn.finish(query, attempt)).rejects.toThrow(SignInRefused);
    });

    test("a forged state is refused", async () => {
      const { signIn, consent } = await world();
      const attempt = await signIn.begin();
      const query = new URLSearchParams(await consent(attempt.url));
      query.set("state", "forged");
      await expect(signIn.finish(`?${query}`, attempt)).rejects.toThrow(SignInRefused);
    });

    test("a code of somebody else's attempt is refused, also under the right state", async () => {
      const { signIn, consent } = await world();
      const [mine, theirs] = [await signIn.begin(), await signIn.begin()];
      const query = new URLSearchParams(await consent(theirs.url));
      query.set("state", mine.state);
      await expect(signIn.finish(`?${query}`, mine)).rejects.toThrow(SignInRefused);
    });

    test("no code, an invented one and a person's no are refused", async () => {
      const { signIn, decline } = await world();
      const attempt = await signIn.begin();
      for (const query of ["", `?state=${attempt.state}`, `?state=${attempt.state}&code=invented`]) {
        await expect(signIn.finish(query, attempt)).rejects.toThrow(SignInRefused);
      }
      await expect(signIn.finish(await decline(attempt.url), attempt)).rejects.toThrow(SignInRefused);
    });

    test("a provider that does not answer is unavailable, which is nobody's fault", async () => {
      const { signIn, consent, cut } = await world();
      const attempt = await signIn.begin();
      const query = await consent(attempt.url);
      await cut();
      await expect(signIn.finish(query, attempt)).rejects.toThrow(SignInUnavailable);
    });
  });
}
