import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExternalId } from "#ports/directory.ts";
import { type Approval, type Click, covers, judge, type OpenAsk, outvoted, type Vote } from "#runs/approval.ts";

const account = (id: string): ExternalId => ({ provider: "slack", workspace: "T1", id });
const NOW = new Date("2026-01-01T12:00:00Z");
const LATER = new Date("2026-01-01T13:00:00Z");

function ask(o: Partial<OpenAsk> & { members: readonly ExternalId[] }): OpenAsk {
  return {
    from: "group:leads",
    quorum: 1,
    self: false,
    expiresMs: 3_600_000,
    remindMs: 600_000,
    giveUpMs: 604_800_000,
    escalate: null,
    delegate: false,
    binds: [],
    assurance: "chat",
    grants: { for: "once", uses: 1, ms: null },
    rule: { at: "teams/shop.yaml:9:5", text: "ask action run.start", why: null },
    ...o,
  };
}

function approval(o: Partial<Approval> = {}): Approval {
  return {
    id: "a1",
    runId: "r1",
    gate: "start",
    digest: "sha256:aa",
    subject: {},
    asks: [ask({ members: [account("BO"), account("DI")] })],
    status: "pending",
    askNo: 1,
    openedAt: NOW,
    expiresAt: LATER,
    closedAt: null,
    ...o,
  };
}

/** Who is in each ask's group, by index; nothing was escalated. */
const now = (...groups: (readonly ExternalId[])[]) => groups.map((members) => ({ members, escalated: [] }));

function click(who: string, o: Partial<Click> = {}): Click {
  return {
    person: { id: who, name: who },
    account: account(who),
    choice: "approve",
    digest: "sha256:aa",
    now: NOW,
    authors: [{ person: { id: "ANA", name: "Ana" }, account: account("ANA") }],
    membersNow: now([account("BO"), account("DI")]),
    ...o,
  };
}

const voted = (who: string, choice: "approve" | "deny" = "approve"): Vote & { account: ExternalId } => ({
  approvalId: "a1",
  person: { id: who, name: who },
  choice,
  reason: null,
  at: NOW,
  account: account(who),
});

const refused = (verdict: ReturnType<typeof judge>) => ("refused" in verdict ? verdict.refused : null);

test("one of the named people says yes", () => {
  expect(judge(approval(), [], click("BO"))).toEqual({ refused: null, status: "approved" });
});

test("one no ends it, whatever the quorum", () => {
  const two = approval({ asks: [ask({ quorum: 2, members: [account("BO"), account("DI")] })] });
  expect(judge(two, [voted("DI")], click("BO", { choice: "deny" }))).toEqual({ refused: null, status: "denied" });
});

const REFUSALS: Record<
  string,
  { approval?: Partial<Approval>; click: Click; votes?: (Vote & { account: ExternalId })[]; code: string }
> = {
  "a bystander is told that they are no approver": { click: click("CY"), code: "not_an_approver" },
  "the requester may not approve their own run": { click: click("ANA"), code: "own_run" },
  "an approver who has become an author may not approve": {
    click: click("BO", { authors: [{ person: { id: "BO", name: "Bo" }, account: account("BO") }] }),
    code: "own_run",
  },
  "the same human under a second account is still the author": {
    click: click("BO", { person: { id: "ANA", name: "Ana" } }),
    code: "own_run",
  },
  "an author's own account is the author's, whoever it is linked to": {
    click: click("BO", { authors: [{ person: { id: "ANA", name: "Ana" }, account: account("BO") }] }),
    code: "own_run",
  },
  "an author without an identity on this surface blocks the vote": {
    click: click("BO", { authors: [{ person: { id: "ZED", name: "Zed" }, account: null }] }),
    code: "author_unlinked",
  },
  "who has left the group since it opened may not vote": {
    click: click("BO", { membersNow: now([account("DI")]) }),
    code: "not_an_approver",
  },
  "who joined the group after it opened may not vote": {
    click: click("EVE", { membersNow: now([account("EVE"), account("BO")]) }),
    code: "not_an_approver",
  },
  "a card that shows other bytes is stale": { click: click("BO", { digest: "sha256:bb" }), code: "stale" },
  "a click at the moment of expiry is too late": { click: click("BO", { now: LATER }), code: "expired" },
  "the second click of one person counts once": {
    approval: { asks: [ask({ quorum: 2, members: [account("BO"), account("DI")] })] },
    votes: [voted("BO")],
    click: click("BO"),
    code: "already_voted",
  },
  "someone got there first": { approval: { status: "approved" }, click: click("BO"), code: "already_decided" },
};

for (const [sentence, row] of Object.entries(REFUSALS)) {
  test(sentence, () => {
    expect(refused(judge(approval(row.approval), row.votes ?? [], row.click))).toBe(row.code);
  });
}

test("policy may let authors vote, and then only by its own word", () => {
  const self = approval({ asks: [ask({ self: true, members: [account("ANA")] })] });
  expect(judge(self, [], click("ANA", { membersNow: now([account("ANA")]) }))).toEqual({
    refused: null,
    status: "approved",
  });
});

test("an author may vote only where every question they answer lets authors vote", () => {
  const mixed = approval({
    asks: [ask({ self: true, members: [account("ANA")] }), ask({ members: [account("ANA")] })],
  });
  const both = { membersNow: now([account("ANA")], [account("ANA")]) };
  expect(refused(judge(mixed, [], click("ANA", both)))).toBe("own_run");
});

test("a yes counts for its own group's question and for no other", () => {
  const both = approval({
    asks: [
      ask({ quorum: 2, members: [account("BO"), account("CY")] }),
      ask({ from: "group:security", members: [account("DI")] }),
    ],
  });
  // Not even when its voter has joined the other group since.
  const joined = now([account("BO"), account("CY")], [account("DI"), account("BO")]);
  expect(judge(both, [voted("BO")], click("CY", { membersNow: joined }))).toEqual({ refused: null, status: "pending" });
});

test("several asks must each be met by their own people", () => {
  const both = approval({
    asks: [ask({ members: [account("BO")] }), ask({ from: "group:security", members: [account("DI")] })],
  });
  const theirs = now([account("BO")], [account("DI")]);
  expect(judge(both, [], click("BO", { membersNow: theirs }))).toEqual({ refused: null, status: "pending" });
  expect(judge(both, [voted("BO")], click("DI", { membersNow: theirs }))).toEqual({
    refused: null,
    status: "approved",
  });
});

test("who has voted and then steered the run is an author by now: their yes does not count towards the quorum", () => {
  const three = ["BO", "DI", "EVE"].map(account);
  const two = approval({ asks: [ask({ quorum: 2, members: three })] });
  const last = click("DI", {
    membersNow: now(three),
    authors: [{ person: { id: "BO", name: "Bo" }, account: account("BO") }],
  });
  expect(judge(two, [voted("BO")], last)).toEqual({ refused: null, status: "pending" });
  expect(judge(two, [voted("EVE")], last)).toEqual({ refused: null, status: "approved" });
});

test("who has voted and then left the group speaks for it no more: their yes does not count towards the quorum", () => {
  const three = ["BO", "DI", "EVE"].map(account);
  const two = approval({ asks: [ask({ quorum: 2, members: three })] });
  const last = click("DI", { membersNow: now(["DI", "EVE"].map(account)) });
  expect(judge(two, [voted("BO")], last)).toEqual({ refused: null, status: "pending" });
  expect(judge(two, [voted("EVE")], last)).toEqual({ refused: null, status: "approved" });
});

test("a yes covers what policy asks now only if it was asked of the same people, as many, and as strictly", () => {
  const had = approval({ asks: [ask({ quorum: 2, members: [] })] });
  const asks = (o: Partial<OpenAsk>) => [ask({ members: [], ...o })];
  expect(covers(had, asks({ quorum: 1 }))).toBe(true);
  expect(covers(had, asks({ quorum: 3 }))).toBe(false);
  expect(covers(had, asks({ from: "group:security" }))).toBe(false);
  const mild = approval({ asks: [ask({ self: true, members: [] })] });
  expect(covers(mild, asks({ self: false }))).toBe(false);
});

const PEOPLE = ["ANA", "BO", "CY", "DI", "EVE"] as const;
const people = fc.uniqueArray(fc.constantFrom(...PEOPLE));
const clicks = fc.array(
  fc.record({ who: fc.constantFrom(...PEOPLE), choice: fc.constantFrom("approve" as const, "deny" as const) }),
  { maxLength: 12 },
);

test("however people click, it is approved only by a quorum of distinct members who are no authors", () => {
  fc.assert(
    fc.property(
      people,
      people,
      people,
      fc.integer({ min: 1, max: 3 }),
      clicks,
      (then, still, authors, quorum, sequence) => {
        let current = approval({ asks: [ask({ quorum, members: then.map(account) })] });
        const votes: (Vote & { account: ExternalId })[] = [];
        for (const { who, choice } of sequence) {
          const verdict = judge(
            current,
            votes,
            click(who, {
              choice,
              membersNow: now(still.map(account)),
              authors: authors.map((id) => ({ person: { id, name: id }, account: account(id) })),
            }),
          );
          if (verdict.refused !== null) continue;
          votes.push(voted(who, choice));
          current = { ...current, status: verdict.status };
        }
        const yes = new Set(votes.filter((vote) => vote.choice === "approve").map((vote) => vote.person.id));
        expect(votes.length).toBe(new Set(votes.map((vote) => vote.person.id)).size);
        for (const vote of votes) {
          expect(then).toContain(vote.person.id);
          expect(still).toContain(vote.person.id);
          expect(authors).not.toContain(vote.person.id);
        }
        expect(current.status === "approved").toBe(yes.size >= quorum && current.status !== "denied");
        expect(current.status === "denied").toBe(votes.some((vote) => vote.choice === "deny"));
      },
    ),
    { numRuns: 2_000 },
  );
});

test("nothing changes once it is decided, and time alone never decides", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("approved" as const, "denied" as const, "expired" as const, "void" as const),
      clicks,
      (status, sequence) => {
        for (const { who, choice } of sequence) {
          expect(refused(judge(approval({ status }), [], click(who, { choice })))).not.toBeNull();
          expect(refused(judge(approval(), [], click(who, { choice, now: new Date(LATER.getTime() + 1) })))).toBe(
            "expired",
          );
        }
      },
    ),
  );
});

test("a yes is counted anew without those who are authors by now, of whom none may be the voter unseen", () => {
  const cast = (id: string) => ({
    approvalId: "a1",
    person: { id, name: id },
    account: account(id),
    choice: "approve" as const,
    reason: null,
    at: NOW,
  });
  const members = [account("BO"), account("CY"), account("DI")];
  const [bo, cy, di] = [cast("BO"), cast("CY"), cast("DI")];
  const author = (id: string, linked = true) => ({ person: { id, name: id }, account: linked ? account(id) : null });
  const two = { asks: [ask({ members, quorum: 2 })] };
  expect(outvoted(two, [bo, cy], () => [author("ANA")])).toEqual([]);
  expect(outvoted(two, [bo, cy], () => [author("ANA"), author("CY")])).toEqual([cy]);
  expect(outvoted(two, [bo, cy, di], () => [author("ANA"), author("CY")])).toEqual([]);
  expect(outvoted({ asks: [ask({ members, quorum: 2, self: true })] }, [bo, cy], () => [author("CY")])).toEqual([]);
  expect(outvoted(two, [bo, cy], () => [author("EVE", false)])).toEqual([bo, cy]);
  const named = { by: { person: bo.person, account: bo.account }, to: { person: di.person, account: account("FI") } };
  const inHisPlace = { ...di, account: account("FI") };
  const one = { asks: [ask({ members: [account("BO")], delegates: [named] })] };
  expect(outvoted(one, [inHisPlace], () => [author("ANA")])).toEqual([]);
  expect(outvoted(one, [inHisPlace], () => [author("BO")])).toEqual([inHisPlace]);
});
