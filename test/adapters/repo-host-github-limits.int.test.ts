import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { tokenClient } from "#adapters/repo-host/github/client.ts";
import { told } from "#adapters/repo-host/github/failures.ts";
import { Secret } from "#ports/secret.ts";

/** GitHub's limits as its REST documentation words them, under "Rate limits" and "Best practices". */
interface Limit {
  readonly status: 403 | 429;
  readonly message: string;
  /** Of a limit that is over after so many seconds. */
  readonly headers: (sec: number) => Readonly<Record<string, string>>;
}
const secondary = {
  message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
  headers: (sec: number) => ({ "retry-after": `${sec}` }),
};
const primary = {
  message: "API rate limit exceeded for installation ID 77.",
  headers: (sec: number) => ({
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": `${Math.floor(Date.now() / 1000) + sec}`,
  }),
};
const LIMITS: readonly [string, Limit][] = [
  ["a secondary limit as 403", { status: 403, ...secondary }],
  ["a secondary limit as 429", { status: 429, ...secondary }],
  ["a primary limit as 403", { status: 403, ...primary }],
  ["a primary limit as 429", { status: 429, ...primary }],
];

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of open.splice(0)) await end();
});

/** A paced client of a server that counts, and answers the first `times` requests with `limit`. */
async function limited(limit: Limit, o: { sec: number; times: number }) {
  const asked: string[] = [];
  const answer = (response: ServerResponse) => {
    const isLimited = asked.length <= o.times;
    const headers = isLimited ? limit.headers(o.sec) : {};
    response.writeHead(isLimited ? limit.status : 200, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(isLimited ? { message: limit.message } : { full_name: "acme/shop" }));
  };
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    answer(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const logged: { readonly message: string; readonly again: unknown }[] = [];
  const api = tokenClient(
    {
      apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      log: (message, fields) => void logged.push({ message, again: fields?.again }),
      pace: { paced: true, retryBaseMs: 0 },
    },
    new Secret("token", "ghs_test"),
  );
  const ask = () => told("to look at acme/shop", () => api.rest.repos.get({ owner: "acme", repo: "shop" }));
  return { ask, asked, logged };
}
const REQUEST = "GET /repos/acme/shop token ghs_test";
const kindOf = (what: string) => (what.includes("secondary") ? "secondary" : "primary");

test.for(LIMITS)("%s that is over in a second is answered after one more request", async ([what, limit]) => {
  const { ask, asked, logged } = await limited(limit, { sec: 1, times: 1 });
  expect((await ask()).data).toMatchObject({ full_name: "acme/shop" });
  expect(asked).toEqual([REQUEST, REQUEST]);
  expect(logged).toEqual([{ message: `GitHub's ${kindOf(what)} rate limit is used up`, again: true }]);
});

test.for(LIMITS)("%s that lasts longer than we wait is told at once, after a single request", async ([what, limit]) => {
  const { ask, asked, logged } = await limited(limit, { sec: 90, times: Number.POSITIVE_INFINITY });
  await expect(ask()).rejects.toMatchObject({
    code: "unavailable",
    message: "to look at acme/shop: GitHub's rate limit is used up for about 2 min",
  });
  expect(asked).toEqual([REQUEST]);
  expect(logged).toEqual([{ message: `GitHub's ${kindOf(what)} rate limit is used up`, again: false }]);
});

test("a limit that is still there when it should be over is waited for once only", async () => {
  const { ask, asked, logged } = await limited(
    { status: 403, ...secondary },
    { sec: 1, times: Number.POSITIVE_INFINITY },
  );
  await expect(ask()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("about 1 min") });
  expect(asked).toEqual([REQUEST, REQUEST]);
  expect(logged.map(({ again }) => again)).toEqual([true, false]);
});
