import { afterEach, beforeEach, expect, test } from "vitest";
import { linearSignIn } from "#adapters/ticket/linear/sign-in.ts";
import { Secret } from "#ports/secret.ts";
import { SignInNoMember, SignInRefused, SignInUnavailable } from "#ports/sign-in.ts";
import { signInContract } from "#test/contracts/sign-in.ts";
import { type LinearDouble, limited, linearDouble } from "#test/doubles/linear/double.ts";

const redirectUrl = "https://agents.example.com/identity/linear/callback";

const opened = (callbacks = [redirectUrl]): Promise<LinearDouble> =>
  linearDouble({
    users: [
      { name: "Ana" },
      { name: "Eve", elsewhere: true },
      { name: "Gil", guest: true },
      { name: "Robot", app: true },
      { name: "Old", active: false },
    ],
    teams: [],
    callbacks: () => callbacks,
  });

let double: LinearDouble;
let logged: string[];
beforeEach(async () => {
  double = await opened();
  logged = [];
});
afterEach(() => double.close());

const made = (o: { secret?: string; fetch?: typeof fetch } = {}) =>
  linearSignIn({
    apiUrl: double.apiUrl,
    clientId: double.client.id,
    clientSecret: new Secret("linear_client_secret", o.secret ?? double.client.secret),
    redirectUrl,
    log: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
    ...(o.fetch === undefined ? {} : { fetch: o.fetch }),
  });
const queryOf = async (address: Promise<string>): Promise<string> => new URL(await address).search;

signInContract("Linear", async () => ({
  signIn: made(),
  who: {
    ...{ provider: "linear", workspace: double.organization.id, id: double.users("Ana").id },
    ...{ name: "Ana" },
  },
  consent: (url) => queryOf(double.oauth.consent(url, "Ana")),
  decline: (url) => queryOf(double.oauth.decline(url, "Ana")),
  cut: async () => double.oauth.cut(true),
}));

/** The whole way of one person. */
async function comesBack(name: string, signIn = made()) {
  const attempt = await signIn.begin();
  return signIn.finish(await queryOf(double.oauth.consent(attempt.url, name)), attempt);
}

test("who is of another workspace comes back as of that one", async () => {
  const eve = await comesBack("Eve");
  expect(eve).toMatchObject({ provider: "linear", id: double.users("Eve").id });
  expect(eve.workspace).not.toBe(double.organization.id);
});

test("a guest, an app and a closed account are nobody whose account is linked", async () => {
  for (const name of ["Gil", "Robot", "Old"]) await expect(comesBack(name)).rejects.toThrow(SignInNoMember);
  expect(double.oauth.alive()).toBe(0);
});

test("nothing of what Linear gave is good for anything afterwards, whatever came of it", async () => {
  await comesBack("Ana");
  await comesBack("Eve");
  expect([double.oauth.given.length, double.oauth.alive()]).toEqual([4, 0]);
  double.fail((field) => (field === "viewer" ? limited() : null));
  await expect(comesBack("Ana")).rejects.toThrow(SignInUnavailable);
  expect([double.oauth.given.length, double.oauth.alive()]).toEqual([6, 0]);
  expect([double.problems, logged]).toEqual([[], []]);
});

test("a token that cannot be ended is no reason to link nobody, and is said without it", async () => {
  double.oauth.keep(true);
  expect(await comesBack("Ana")).toMatchObject({ name: "Ana" });
  // Of the one that renews, and of the other: the first no is no reason to leave out the second.
  const kept = expect.stringMatching(/^a person's token of Linear could not be ended: .* answered 503/);
  expect(logged).toEqual([kept, kept]);
  for (const token of double.oauth.given) expect(logged.join()).not.toContain(token);
});

test("an app whose secret is wrong is refused, and nothing of the secret, the code or the token is said", async () => {
  const said: string[] = [];
  for (const secret of ["another-secret", double.client.secret]) {
    const signIn = made({ secret });
    const attempt = await signIn.begin();
    const query = await queryOf(double.oauth.consent(attempt.url, "Ana"));
    try {
      await signIn.finish(query, secret === "another-secret" ? attempt : { ...attempt, nonce: "other" });
    } catch (error) {
      said.push(error instanceof Error ? `${error.name} ${error.message}` : "");
    }
  }
  expect(said).toEqual(["SignInRefused invalid_client", "SignInRefused invalid_grant"]);
});

test("a token that Linear does not know says nothing of anybody", async () => {
  double.fail((field) => {
    if (field !== "viewer") return null;
    return {
      status: 401,
      body: { errors: [{ message: "Authentication required", extensions: { type: "authentication error" } }] },
    };
  });
  await expect(comesBack("Ana")).rejects.toThrow(SignInRefused);
});

test("a token is used for one question and is ended, and the requests are as Linear wants them", async () => {
  const asked: string[] = [];
  const signIn = made({
    fetch: (url, init) => {
      asked.push(`${init?.method ?? "GET"} ${new URL(String(url)).pathname} ${init?.redirect}`);
      return fetch(url, init);
    },
  });
  await comesBack("Ana", signIn);
  expect(asked).toEqual(["POST /oauth/token error", "POST /oauth/revoke error", "POST /oauth/revoke error"]);
  expect(double.requests.map(({ field }) => field)).toEqual(["viewer"]);
  expect(double.problems).toEqual([]);
});

test("Linear lets nobody back to an address that the app's settings do not name", async () => {
  const { url } = await made().begin();
  await double.close();
  double = await opened(["https://agents.example.com/another"]);
  const there = `${double.apiUrl}${new URL(url).pathname}${new URL(url).search}`;
  await expect(double.oauth.consent(there, "Ana")).rejects.toThrow(/settings do not name/);
});
