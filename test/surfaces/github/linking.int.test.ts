import { createHmac, randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { githubVerifier } from "#adapters/repo-host/github/verifier.ts";
import { githubLinks } from "#links.ts";
import type { Account } from "#ports/directory.ts";
import { Secret } from "#ports/secret.ts";
import { ofAccounts } from "#runs/account/link.ts";
import { linkWritten } from "#runs/account/redeem.ts";
import { pullRequestChanged } from "#runs/result/review.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { type GithubWebhooks, githubWebhooks, WEBHOOK_PATH } from "#surfaces/github/webhooks.ts";
import { ANA, BO, CY, memoryHouse } from "#test/runs/memory-house.ts";

const SECRET = "webhook-secret";
const OCTOCAT = { id: 583231, login: "octocat", type: "User" };

/** What is said of a refusal is said to one person. */
const NOBODY_TOLD = { whisper: () => Promise.reject(new Error("nothing is refused here")) };

let house: Awaited<ReturnType<typeof memoryHouse>>;
let hooks: GithubWebhooks;
let run: Run;
let told: { to: string; view: View }[];
let slackAway = false;

beforeEach(async () => {
  told = [];
  slackAway = false;
  house = await memoryHouse(
    {},
    {
      core: {
        linkable: [{ provider: "github", workspace: "github.com", by: "code" }],
        linkMac: (text) => createHmac("sha256", "installation").update(text).digest("base64url"),
      },
    },
  );
  hooks = await opened();
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  run = await house.until("in_review");
});
afterEach(async () => {
  await hooks.drain();
  await house.close();
});

async function opened(): Promise<GithubWebhooks> {
  const { core, directory } = house;
  const { routes, wrote } = await githubLinks({
    core,
    github: {
      appId: 4242,
      privateKey: new Secret("key", "unused"),
      webhookSecret: new Secret("webhook", SECRET),
      oauth: null,
      apiUrl: "https://api.github.com",
      said: { unasked: "nobody is asked here" },
    },
    directory,
    signIn: false,
    chat: {
      show: () => Promise.reject(new Error("nothing is shown here")),
      async whisper(_place, to, view) {
        if (slackAway) throw new Error("Slack is away");
        told.push({ to: to.id, view });
      },
    },
  });
  expect(routes).toBeNull();
  if (wrote === null) throw new Error("nobody listens for codes");
  return githubWebhooks({
    verify: await githubVerifier(new Secret("webhook", SECRET)),
    appId: 4242,
    inbox: core.stores.inbox,
    changed: (change) => pullRequestChanged(core, change),
    wrote,
    log: core.log,
    claimMs: -1_000,
  });
}

async function send(event: string, payload: object, o: { delivery?: string; secret?: string } = {}): Promise<number> {
  const body = JSON.stringify(payload);
  const { status } = await hooks.routes.request(WEBHOOK_PATH, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-github-event": event,
      "x-github-delivery": o.delivery ?? randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", o.secret ?? SECRET)
        .update(body)
        .digest("hex")}`,
    },
  });
  await hooks.drain();
  return status;
}

const review = (body: string, o: { user?: object; action?: string; number?: number; repo?: string } = {}) => ({
  action: o.action ?? "submitted",
  repository: { id: 1, full_name: o.repo ?? run.repo, html_url: "https://github.com/acme/shop" },
  sender: o.user ?? OCTOCAT,
  pull_request: { number: o.number ?? run.pullRequest?.number },
  review: {
    state: "commented",
    commit_id: null,
    html_url: `https://github.com/acme/shop/pull/1#${randomUUID()}`,
    body,
    user: o.user ?? OCTOCAT,
  },
});

async function codeOf(who: Account): Promise<string> {
  const view = await ofAccounts(house.core, { account: who, shared: false }, "link", "github");
  if (view.kind !== "link_code") throw new Error(`it is a ${view.kind}`);
  return view.code;
}

const accounts = async (who: Account) => {
  const view = await ofAccounts(house.core, { account: who, shared: false }, "link", null);
  return view.kind === "links" ? view.accounts.map(({ name }) => name) : null;
};

test("a code in a review of a pull request of ours links the account that wrote it, and its owner is told", async () => {
  expect(await send("pull_request_review", review(`${await codeOf(ANA)}\n`))).toBe(202);
  await house.show();
  expect(house.whispered).toEqual([
    { to: "U0ANA", view: { kind: "linked", provider: "github", name: "octocat", person: "Ana" } },
  ]);
  expect(await accounts(ANA)).toEqual(["octocat"]);
  const on = { provider: "slack", workspace: "T0LOCAL" };
  const account = { provider: "github", workspace: "github.com", id: "583231" };
  expect(await house.core.stores.people.accountOn(account, on)).toEqual({ ...on, id: "U0ANA" });
});

test("a comment does the same, where the App is told of comments", async () => {
  const comment = {
    action: "created",
    repository: { full_name: run.repo },
    issue: { number: run.pullRequest?.number, pull_request: {} },
    comment: { body: await codeOf(CY), user: OCTOCAT },
  };
  await send("issue_comment", comment);
  expect(await accounts(CY)).toEqual(["octocat"]);
});

test("a code works once: who copies it out of the review links nothing, and its owner is told who tried", async () => {
  const code = await codeOf(ANA);
  await send("pull_request_review", review(code));
  await send("pull_request_review", review(code, { user: { id: 7, login: "mallory", type: "User" } }));
  expect(told.at(-1)).toEqual({
    to: "U0ANA",
    view: { kind: "link_refused", provider: "github", name: "mallory", why: "code_used", holder: null },
  });
  expect(await accounts(ANA)).toEqual(["octocat"]);
});

test("an edit, a pull request that is not ours, an App and an unsigned delivery link nobody", async () => {
  const code = await codeOf(ANA);
  await send("pull_request_review", review(code, { action: "edited" }));
  await send("pull_request_review", review(`> ${code}\n\nWhat is this?`));
  await send("pull_request_review", review(`here: ${code} thanks`));
  await send("pull_request_review", review(code, { number: 999 }));
  await send("pull_request_review", review(code, { repo: "acme/elsewhere" }));
  await send("pull_request_review", review(code, { user: { id: 7, login: "robot[bot]", type: "Bot" } }));
  expect(await send("pull_request_review", review(code), { secret: "other" })).toBe(401);
  await send("issue_comment", {
    action: "created",
    repository: { full_name: run.repo },
    issue: { number: run.pullRequest?.number },
    comment: { body: code, user: OCTOCAT },
  });
  expect(told).toEqual([]);
  expect(await accounts(ANA)).toEqual([]);
  await send("pull_request_review", review(code));
  expect(await accounts(ANA)).toEqual(["octocat"]);
});

test("a late code, a forged one and an account that is somebody's link nobody", async () => {
  const code = await codeOf(ANA);
  await send("pull_request_review", review(`${code.split(".")[0]}.${"A".repeat(43)}`));
  expect(told).toEqual([]);
  await send("pull_request_review", review(await codeOf(BO)));
  await send("pull_request_review", review(code));
  expect(told.at(-1)).toMatchObject({ to: "U0ANA", view: { kind: "link_refused", why: "theirs", holder: "Bo" } });
  const late = await codeOf(ANA);
  house.world.offset += 11 * 60_000;
  await send("pull_request_review", review(late, { user: { id: 7, login: "ana", type: "User" } }));
  expect(told.at(-1)).toMatchObject({ to: "U0ANA", view: { kind: "link_refused", why: "code_late" } });
});

test("a delivery that is handled twice, as after a crash, is no second use", async () => {
  const code = await codeOf(ANA);
  for (let times = 0; times < 2; times += 1) {
    await linkWritten(house.core, NOBODY_TOLD, {
      deliveryId: "d-1",
      repo: run.repo,
      number: run.pullRequest?.number ?? 0,
      id: OCTOCAT.id,
      login: OCTOCAT.login,
      code,
    });
  }
  await house.show();
  expect(house.whispered).toHaveLength(1);
  expect(await accounts(ANA)).toEqual(["octocat"]);
});

test("while Slack is away an account is linked all the same, and its owner is told once when it is back", async () => {
  slackAway = true;
  house.world.chatAway = true;
  expect(await send("pull_request_review", review(await codeOf(ANA)))).toBe(202);
  expect(await accounts(ANA)).toEqual(["octocat"]);
  await house.show();
  expect(house.whispered).toEqual([]);
  house.world.chatAway = false;
  await house.show();
  await house.show();
  expect(house.whispered).toMatchObject([{ to: "U0ANA", view: { kind: "linked" } }]);
});

test("a refusal that cannot be said is said when the delivery is taken up again", async () => {
  const late = await codeOf(ANA);
  house.world.offset += 11 * 60_000;
  slackAway = true;
  await send("pull_request_review", review(late), { delivery: "d-1" });
  slackAway = false;
  hooks = await opened();
  await hooks.redrive();
  await send("pull_request_review", review(late), { delivery: "d-1" });
  expect(told).toMatchObject([{ to: "U0ANA", view: { kind: "link_refused", why: "code_late" } }]);
});

test("a code reaches neither the log nor the record", async () => {
  const code = await codeOf(ANA);
  await send("pull_request_review", review(code));
  await house.show();
  const record = JSON.stringify(await house.core.stores.events.after(run.id, 0, 1_000));
  for (const text of [record, house.logged.join("\n"), JSON.stringify(house.whispered)])
    expect(text).not.toContain("cslink_");
});
