import { afterEach, expect, test } from "vitest";
import type { PullRequestChange } from "#ports/repo-host.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { messageKey } from "#runs/record/tell.ts";
import { pullRequestChanged, reconcile } from "#runs/result/review.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

async function inReview(o: { draft?: string } = {}): Promise<Run> {
  house = await memoryHouse();
  if (o.draft !== undefined) house.policy.edit("teams/shop.yaml", "rules:\n", `rules:\n  - ${o.draft}\n`);
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  return house.until("in_review");
}

const kinds = async (run: Run) => (await eventsOf(house.core, run.id)).map(({ body }) => body.kind);
const told = (change: Omit<PullRequestChange, "repo" | "number" | "oid">) =>
  pullRequestChanged(house.core, { repo: "acme/shop", number: 1, oid: "c".repeat(40), ...change });

test("a review is in the record once, however often it is told, and its author's last word stands", async () => {
  const run = await inReview();
  const review = { kind: "reviewed", by: "bo", url: "https://github.com/acme/shop/pull/1#r1" } as const;
  await Promise.all([
    told({ ...review, deliveryId: "d-1", verdict: "changes_requested" }),
    told({ ...review, deliveryId: "d-1", verdict: "changes_requested" }),
  ]);
  await told({ ...review, deliveryId: "d-2", verdict: "approved" });
  await told({ ...review, deliveryId: "d-1", verdict: "changes_requested" });
  expect((await kinds(run)).filter((kind) => kind === "pull_request.reviewed")).toHaveLength(2);
  const { pullRequest } = await factsOf(house.core, run.id);
  expect(pullRequest?.reviews).toMatchObject([{ by: "bo", verdict: "approved", url: review.url }]);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("in_review");
});

test("the forge's own checks are in the record, the last of each", async () => {
  const run = await inReview();
  await told({ kind: "checked", by: "GitHub Actions", deliveryId: "d-1", conclusion: "failure" });
  await told({ kind: "checked", by: "Another CI", deliveryId: "d-2", conclusion: "success" });
  await told({ kind: "checked", by: "GitHub Actions", deliveryId: "d-3", conclusion: "success" });
  const { pullRequest } = await factsOf(house.core, run.id);
  expect(pullRequest?.forge.map(({ by, conclusion }) => [by, conclusion])).toEqual([
    ["Another CI", "success"],
    ["GitHub Actions", "success"],
  ]);
});

test("a merge that is told by webhook and found by the timer ends the run once", async () => {
  const run = await inReview();
  await house.repoHost.act("acme/shop", 1, "merged", "bo");
  await told({ kind: "merged", by: "bo", deliveryId: "d-9" });
  await house.until("merged");
  expect((await kinds(run)).filter((kind) => kind === "pull_request.changed")).toHaveLength(1);
});

test("a review and a check that no webhook brought are found by the timer, each once", async () => {
  const run = await inReview();
  const at = { repo: "acme/shop", number: 1 };
  const { headOid: oid = "" } = (await house.repoHost.pullRequest("acme/shop", 1)) ?? {};
  const look = async () => {
    const taken = await house.core.stores.runs.take(run.id);
    if (taken) await reconcile(house.core, taken);
  };
  house.repoHost.say({ ...at, kind: "reviewed", by: "bo", verdict: "commented", oid });
  const url = "https://forge.example/acme/shop/pull/1#r2";
  const approval = { ...at, kind: "reviewed", by: "bo", verdict: "approved", oid, url } as const;
  house.repoHost.say(approval);
  house.repoHost.say({ ...at, kind: "checked", by: "Another CI", conclusion: "failure", oid });
  house.repoHost.say({ ...at, kind: "checked", by: "Old CI", conclusion: "failure", oid: "0".repeat(40) });
  await look();
  await look();
  const words = async () =>
    (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
      body.kind === "pull_request.reviewed"
        ? [`${body.by} ${body.verdict}`]
        : body.kind === "forge.checked"
          ? [`${body.by} ${body.conclusion}`]
          : [],
    );
  expect(await words()).toEqual(["bo approved", "Another CI failure"]);
  // Its webhook comes after all, and then a rerun's that is lost again.
  await pullRequestChanged(house.core, { ...approval, deliveryId: "d-1" });
  house.repoHost.say({ ...at, kind: "checked", by: "Another CI", conclusion: "success", oid });
  await look();
  expect(await words()).toEqual(["bo approved", "Another CI failure", "Another CI success"]);
  expect((await house.core.stores.runs.get(run.id))?.wakeAt?.getTime()).toBeGreaterThan(Date.now());
});

test("a forge that does not say what was said of a pull request still says what became of it", async () => {
  const run = await inReview();
  Object.assign(house.repoHost, {
    words: () => Promise.reject(new RepoHostError("denied", "the App may not read checks")),
  });
  const taken = await house.core.stores.runs.take(run.id);
  if (taken) await reconcile(house.core, taken);
  expect(house.logged.filter((line) => line.startsWith("what is said of a pull request"))).toHaveLength(1);
  await house.repoHost.act("acme/shop", 1, "merged", "bo");
  await house.until("merged");
});

test("what reviewers and checks say is one message of its thread, and its end another", async () => {
  const run = await inReview();
  const at = { by: "bo", url: "https://github.com/acme/shop/pull/1#r1" };
  await told({ kind: "reviewed", ...at, deliveryId: "d-1", verdict: "changes_requested" });
  await told({ kind: "checked", by: "GitHub Actions", deliveryId: "d-2", conclusion: "failure" });
  await told({ kind: "reviewed", ...at, deliveryId: "d-3", verdict: "approved" });
  const wanted = await house.core.stores.outbox.get(messageKey(run, "forge", "words"));
  expect(wanted?.version).toBe(3);
  expect(await house.core.stores.outbox.get(messageKey(run, "forge", null))).toBeNull();
  await told({ kind: "merged", by: "bo", deliveryId: "d-4" });
  expect(await house.core.stores.outbox.get(messageKey(run, "forge", null))).toMatchObject({ kind: "forge" });
});

test("a word about a pull request of nobody's is no news", async () => {
  const run = await inReview();
  const before = await kinds(run);
  await pullRequestChanged(house.core, {
    deliveryId: "d-1",
    repo: "acme/shop",
    number: 99,
    kind: "merged",
    by: "bo",
    oid: null,
  });
  expect(await kinds(run)).toEqual(before);
});

test("a run ends at a draft, also when every check is green", async () => {
  const run = await inReview();
  expect(await house.repoHost.pullRequest("acme/shop", 1)).toMatchObject({ draft: true });
  expect(await kinds(run)).not.toContain("pull_request.ready");
});

test("where policy says so it leaves draft once every check is green, and the record names the rule", async () => {
  const run = await inReview({ draft: "{ allow: { action: pr.open, draft: false } }" });
  expect(await house.repoHost.pullRequest("acme/shop", 1)).toMatchObject({ draft: false });
  const { pullRequest, decisions } = await factsOf(house.core, run.id);
  expect(pullRequest?.draft).toBe(false);
  expect(decisions.find((one) => one.subject === "leaving draft")).toMatchObject({
    about: "publish",
    outcome: "allow",
  });
  expect((await kinds(run)).filter((kind) => kind === "pull_request.ready")).toHaveLength(1);
});

test("a forge that refuses what only helps the reviewer changes nothing about the result", async () => {
  house = await memoryHouse();
  house.policy.edit("teams/shop.yaml", "rules:\n", "rules:\n  - { allow: { action: pr.open, draft: false } }\n");
  const refuse = () => Promise.reject(new RepoHostError("denied", "the plan has no such thing"));
  Object.assign(house.repoHost, { requestReview: refuse, markReady: refuse });
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  expect(await house.repoHost.pullRequest("acme/shop", 1)).toMatchObject({ draft: true, state: "open" });
  expect(house.logged.filter((line) => line.startsWith("the forge refuses"))).toHaveLength(2);
});
