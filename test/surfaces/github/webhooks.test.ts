import { createHmac, randomUUID } from "node:crypto";
import published from "@octokit/webhooks-examples" with { type: "json" };
import { afterAll, beforeAll, expect, test } from "vitest";
import { githubVerifier } from "#adapters/repo-host/github/verifier.ts";
import { sql } from "#db/drizzle.ts";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { stores } from "#db/stores.ts";
import type { PullRequestChange } from "#ports/repo-host.ts";
import { Secret } from "#ports/secret.ts";
import type { InboxStore } from "#runs/stores.ts";
import { githubWebhooks, WEBHOOK_PATH } from "#surfaces/github/webhooks.ts";

/** The package's types say that the list is under "default", and it is the module itself. */
const examples = published as unknown as readonly {
  readonly name: string;
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}[];
const SECRET = "webhook-secret";
const APP_ID = 4242;

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly delivery?: string;
}

async function world(
  o: { inbox?: (real: InboxStore) => InboxStore; changed?: (change: PullRequestChange) => void | Promise<void> } = {},
) {
  const orgId = await ensureOrg(database.db, randomUUID());
  const real = stores(database, { orgId }).inbox;
  const changes: PullRequestChange[] = [];
  const logged: string[] = [];
  const verify = await githubVerifier(new Secret("webhook", SECRET));
  const made = () =>
    githubWebhooks({
      verify,
      appId: APP_ID,
      inbox: o.inbox?.(real) ?? real,
      changed: async (change) => {
        await o.changed?.(change);
        changes.push(change);
      },
      log: (message) => void logged.push(message),
      claimMs: -1_000,
    });
  const hooks = made();
  /** Resolves when it is answered, whatever comes of it. */
  async function send(event: string, body: string, { headers = {}, delivery = randomUUID() }: Sent = {}) {
    const { status } = await hooks.routes.request(WEBHOOK_PATH, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": signed(body),
        ...headers,
      },
    });
    return status;
  }
  async function post(...sent: Parameters<typeof send>) {
    const status = await send(...sent);
    await hooks.drain();
    return status;
  }
  return {
    post,
    send,
    changes,
    logged,
    hooks,
    made,
    release: () => database.db.execute(sql`update inbox set claimed_until = to_timestamp(0) where org_id = ${orgId}`),
    left: async () => (await real.unfinished("github", -1_000, 100)).map((row) => row.deliveryId),
  };
}

const signed = (body: string, secret = SECRET) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

const example = (name: string, action: string) => {
  const found = examples.find((one) => one.name === name)?.examples.find((one) => one.action === action);
  if (found === undefined) throw new Error(`there is no example of ${name}.${action}`);
  return found;
};

const merged = (): string => {
  const payload = example("pull_request", "closed");
  const pull = { ...(payload.pull_request as object), merged: true, merge_commit_sha: "c".repeat(40) };
  return JSON.stringify({ ...payload, pull_request: pull });
};

test("every payload that GitHub has published is accepted, and what it says of pull requests is handed on", async () => {
  const { post, changes, left, logged } = await world();
  const all = examples.flatMap(({ name, examples: of }) => of.map((payload) => ({ name, payload })));
  expect(all.length).toBe(329);
  const refused: string[] = [];
  for (const { name, payload } of all) {
    const status = await post(name, JSON.stringify(payload));
    if (status < 200 || status > 299) refused.push(`${name}: ${status}`);
  }
  expect(refused).toEqual([]);
  expect(logged).toEqual([]);
  expect(await left()).toEqual([]);
  const kinds = changes.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "closed").length).toBeGreaterThan(0);
  expect(kinds.filter((kind) => kind === "reviewed").length).toBeGreaterThan(0);
  expect(new Set(changes.map((change) => change.deliveryId)).size).toBe(changes.length);
});

test("a merge is told with who did it, which commit landed and the delivery's id", async () => {
  const { post, changes } = await world();
  expect(await post("pull_request", merged(), { delivery: "d-1" })).toBe(202);
  expect(changes).toEqual([
    {
      deliveryId: "d-1",
      repo: "Codertocat/Hello-World",
      number: 2,
      kind: "merged",
      by: "Codertocat",
      oid: "c".repeat(40),
      url: "https://github.com/Codertocat/Hello-World/pull/2",
    },
  ]);
});

test("a burst is answered before it is worked off, and worked off a few at a time", async () => {
  const { promise: go, resolve: begin } = Promise.withResolvers<void>();
  let [busy, most] = [0, 0];
  const { send, hooks, changes } = await world({
    async changed() {
      busy += 1;
      most = Math.max(most, busy);
      await go;
      busy -= 1;
    },
  });
  const sent = Array.from({ length: 30 }, (_, n) => send("pull_request", merged(), { delivery: `burst-${n}` }));
  expect(new Set(await Promise.all(sent))).toEqual(new Set([202]));
  expect(changes).toEqual([]);
  begin();
  await hooks.drain();
  expect(changes).toHaveLength(30);
  expect(most).toBe(4);
});

test("a delivery that comes again is answered and not handed on again", async () => {
  const { post, changes } = await world();
  expect(await post("pull_request", merged(), { delivery: "d-2" })).toBe(202);
  expect(await post("pull_request", merged(), { delivery: "d-2" })).toBe(202);
  expect(changes).toHaveLength(1);
});

test.each([
  ["a wrong signature", { "x-hub-signature-256": `sha256=${"0".repeat(64)}` }],
  ["the old kind of signature alone", { "x-hub-signature-256": "sha1=0000" }],
  ["a signature by another secret", { "x-hub-signature-256": signed(merged(), "other") }],
  ["no signature", { "x-hub-signature-256": "" }],
])("%s is refused before anything is read or kept", async (_what, headers) => {
  const { post, changes, left } = await world();
  expect(await post("pull_request", merged(), { headers })).toBe(401);
  expect(changes).toEqual([]);
  expect(await left()).toEqual([]);
});

test("a body without a byte is refused as unsigned", async () => {
  const { hooks } = await world();
  expect((await hooks.routes.request(WEBHOOK_PATH, { method: "POST" })).status).toBe(401);
});

test("an App that sends forms is understood too: the signature is over the form", async () => {
  const { post, changes } = await world();
  const form = new URLSearchParams({ payload: merged() }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded", "x-hub-signature-256": signed(form) };
  expect(await post("pull_request", form, { headers })).toBe(202);
  expect(changes.map(({ kind }) => kind)).toEqual(["merged"]);
});

test("a payload of an event we read that is not as documented shows as failed at GitHub, and is logged", async () => {
  const { post, logged } = await world();
  expect(await post("pull_request", JSON.stringify({ action: "closed" }))).toBe(400);
  expect(await post("pull_request", "{")).toBe(400);
  expect(logged).toEqual(["a GitHub delivery is not understood", "a GitHub delivery is not understood"]);
});

test("what cannot be kept is not accepted", async () => {
  const inbox = (real: InboxStore): InboxStore => ({
    ...real,
    insertOnce: () => Promise.reject(new Error("the database is away")),
  });
  const { post, changes } = await world({ inbox });
  expect(await post("pull_request", merged())).toBe(500);
  expect(changes).toEqual([]);
});

test("what failed is kept, and done by the next process that looks", async () => {
  let away = true;
  const changed = () => {
    if (away) throw new Error("the database is away");
  };
  const { post, changes, made, left, release } = await world({ changed });
  expect(await post("pull_request", merged(), { delivery: "d-3" })).toBe(202);
  expect(changes).toEqual([]);
  expect(await left()).toEqual(["d-3"]);
  away = false;
  await release();
  expect(await made().redrive()).toBe(1);
  expect(changes.map(({ deliveryId, kind }) => [deliveryId, kind])).toEqual([["d-3", "merged"]]);
  await release();
  expect(await left()).toEqual([]);
});

test("what fails each time is given up aloud, for the timer finds what became of a pull request", async () => {
  const changed = () => {
    throw new Error("a bug");
  };
  const { post, hooks, left, logged, release } = await world({ changed });
  await post("pull_request", merged(), { delivery: "d-4" });
  for (let round = 0; round < 4; round += 1) {
    await release();
    await hooks.redrive();
  }
  await release();
  expect(await left()).toEqual([]);
  expect(logged.at(-1)).toBe("a GitHub delivery is given up: look at it");
});

test("checks of a commit are told to each of its pull requests, and our own are no news", async () => {
  const payload = example("check_suite", "completed");
  const { id } = payload.repository as { id: number };
  const pulls = [7, 8].map((number) => ({ number, base: { repo: { id } } }));
  const elsewhere = { number: 9, base: { repo: { id: id + 1 } } };
  const suite = (app: object) =>
    JSON.stringify({
      ...payload,
      check_suite: {
        ...(payload.check_suite as object),
        head_sha: "d".repeat(40),
        conclusion: "timed_out",
        app,
        pull_requests: [...pulls, elsewhere],
      },
    });
  const { post, changes } = await world();
  await post("check_suite", suite({ id: 15368, name: "GitHub Actions" }), { delivery: "d-5" });
  await post("check_suite", suite({ id: APP_ID, name: "Countersign" }));
  expect(
    changes.map(({ deliveryId, number, by, conclusion, oid }) => [deliveryId, number, by, conclusion, oid]),
  ).toEqual([
    ["d-5:7", 7, "GitHub Actions", "failure", "d".repeat(40)],
    ["d-5:8", 8, "GitHub Actions", "failure", "d".repeat(40)],
  ]);
});

test("a review is told with its author's word, and an edit of it is not", async () => {
  const { post, changes } = await world();
  const submitted = example("pull_request_review", "submitted");
  const review = { ...(submitted.review as object), state: "changes_requested" };
  await post("pull_request_review", JSON.stringify({ ...submitted, review }));
  await post("pull_request_review", JSON.stringify({ ...submitted, action: "edited", review }));
  await post("pull_request_review", JSON.stringify({ ...submitted, action: "dismissed", review }));
  expect(changes.map(({ kind, verdict, by }) => [kind, verdict, by])).toEqual([
    ["reviewed", "changes_requested", "Codertocat"],
    ["reviewed", "dismissed", "Codertocat"],
  ]);
});
