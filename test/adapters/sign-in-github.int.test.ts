import { afterAll, beforeAll, expect, test } from "vitest";
import { githubSignIn } from "#adapters/repo-host/github/sign-in.ts";
import { Secret } from "#ports/secret.ts";
import { SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { signInContract } from "#test/contracts/sign-in.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { OAUTH_APP } from "#test/doubles/github/oauth.ts";

const OCTOCAT = { id: 583231, login: "octocat" };
const redirectUrl = "https://agents.example.com/identity/github/callback";

let double: GithubDouble;
beforeAll(async () => {
  double = await githubDouble({ repos: {}, installed: [], people: [] });
});
afterAll(() => double.close());

const made = (o: { secret?: string; fetch?: typeof fetch } = {}) =>
  githubSignIn({
    apiUrl: double.apiUrl,
    clientId: OAUTH_APP.client_id,
    clientSecret: new Secret("client", o.secret ?? OAUTH_APP.client_secret),
    redirectUrl,
    ...(o.fetch === undefined ? {} : { fetch: o.fetch }),
  });
const queryOf = (address: string): string => new URL(address).search;

signInContract("github", async () => {
  double.oauth.cut(false);
  return {
    signIn: made(),
    who: { provider: "github", workspace: new URL(double.url).host, id: "583231", ...{ name: "octocat" } },
    consent: async (url) => queryOf(double.oauth.consent(url, OCTOCAT)),
    decline: async (url) => queryOf(double.oauth.decline(url)),
    cut: async () => double.oauth.cut(true),
  };
});

test("who is no person links nobody, and neither does an answer that cannot be read", async () => {
  double.oauth.cut(false);
  const signIn = made();
  const attempt = await signIn.begin();
  const robot = queryOf(double.oauth.consent(attempt.url, { id: 1, login: "robot", type: "Bot" }));
  await expect(signIn.finish(robot, attempt)).rejects.toThrow(SignInRefused);
  const odd = queryOf(double.oauth.consent(attempt.url, { id: 1, login: "a b\nc" }));
  await expect(signIn.finish(odd, attempt)).rejects.toThrow(SignInUnavailable);
});

test("an App whose secret is wrong is refused, and nothing of the secret, the code or the token is said", async () => {
  const said: string[] = [];
  for (const secret of ["another-secret", OAUTH_APP.client_secret]) {
    const signIn = made({ secret });
    const attempt = await signIn.begin();
    const query = queryOf(double.oauth.consent(attempt.url, OCTOCAT));
    try {
      await signIn.finish(query, secret === "another-secret" ? attempt : { ...attempt, nonce: "other" });
    } catch (error) {
      said.push(error instanceof Error ? `${error.name} ${error.message}` : "");
    }
  }
  expect(said).toEqual(["SignInRefused incorrect_client_credentials", "SignInRefused bad_verification_code"]);
});

test("a token is used for one question, to the configured address, and the requests are as GitHub wants them", async () => {
  const asked: string[] = [];
  const signIn = made({
    fetch: (url, init) => {
      asked.push(`${init?.method ?? "GET"} ${new URL(String(url)).pathname} ${init?.redirect}`);
      return fetch(url, init);
    },
  });
  const attempt = await signIn.begin();
  await signIn.finish(queryOf(double.oauth.consent(attempt.url, OCTOCAT)), attempt);
  expect(asked).toEqual(["POST /login/oauth/access_token error", "GET /api/v3/user error"]);
  expect(double.problems).toEqual([]);
});
