import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExternalId } from "#ports/directory.ts";
import { type Answering, type Approval, type CastVote, covers, judge } from "#runs/approval.ts";
import { judgeNaming } from "#runs/delegation.ts";
import type { MembersNow, OpenAsk } from "#runs/seat.ts";

const account = (id: string): ExternalId => ({ provider: "slack", workspace: "T1", id });
const accounts = (ids: Iterable<string>) => [...ids].map(account);
const who = (id: string) => ({ person: { id, name: id }, account: account(id) });
const NOW = new Date("2026-01-01T12:00:00Z");
const LATER = new Date("2026-01-01T13:00:00Z");

function ask(o: Partial<OpenAsk> = {}): OpenAsk {
  return {
    from: "group:leads",
    quorum: 1,
    self: false,
    expiresMs: 3_600_000,
    remindMs: 600_000,
    giveUpMs: 604_800_000,
    escalate: { afterMs: 900_000, to: "group:boss" },
    delegate: true,
    binds: [],
    assurance: "chat",
    grants: { for: "run", uses: null, ms: null },
    rule: { at: "teams/shop.yaml:9:5", text: "ask action run.start", why: null },
    members: accounts(["BO", "DI"]),
    ...o,
  };
}

const approval = (asks: readonly OpenAsk[] = [ask()], o: Partial<Approval> = {}): Approval => ({
  id: "a1",
  runId: "r1",
  gate: "start",
  digest: "sha256:aa",
  subject: {},
  asks,
  status: "pending",
  askNo: 1,
  openedAt: NOW,
  expiresAt: LATER,
  closedAt: null,
  ...o,
});

interface World {
  readonly members?: readonly string[];
  readonly escalated?: readonly string[];
  readonly authors?: Answering["authors"];
}

const author = (id: string): Answering["authors"][number] => who(id);
const now = (o: World, of: Approval): readonly MembersNow[] =>
  of.asks.map(() => ({ members: accounts(o.members ?? ["BO", "DI"]), escalated: accounts(o.escalated ?? []) }));

const name = (of: Approval, by: string, to: string, o: World & { votes?: readonly CastVote[]; at?: Date } = {}) =>
  judgeNaming(of, o.votes ?? [], {
    ...who(by),
    authors: o.authors ?? [author("ANA")],
    membersNow: now(o, of),
    to: who(to),
    now: o.at ?? NOW,
  });

/** The question after `by` named `to`. */
function named(of: Approval, by: string, to: string, o: World = {}): Approval {
  const done = name(of, by, to, o);
  if (done.refused !== null) throw new Error(done.refused);
  return { ...of, asks: done.asks };
}

const click = (
  of: Approval,
  by: string,
  o: World & { votes?: readonly CastVote[]; choice?: "approve" | "deny" } = {},
) =>
  judge(of, o.votes ?? [], {
    ...who(by),
    choice: o.choice ?? "approve",
    digest: of.digest,
    now: NOW,
    authors: o.authors ?? [author("ANA")],
    membersNow: now(o, of),
  });

const yes = (id: string): CastVote => ({ approvalId: "a1", ...who(id), choice: "approve", reason: null, at: NOW });

const APPROVED = { refused: null, status: "approved" };
const PENDING = { refused: null, status: "pending" };
const refused = (code: string) => ({ refused: code });

test("whoever an approver names may answer in their place", () => {
  expect(click(approval(), "CY")).toEqual(refused("not_an_approver"));
  const handed = named(approval(), "BO", "CY");
  expect(click(handed, "CY")).toEqual(APPROVED);
  expect(click(handed, "CY", { choice: "deny" })).toEqual({ refused: null, status: "denied" });
});

test("a place stays one answer: who named somebody and whom they named are not two of a quorum", () => {
  const two = named(approval([ask({ quorum: 2 })]), "BO", "CY");
  expect(click(two, "BO", { votes: [yes("CY")] })).toEqual(PENDING);
  expect(click(two, "CY", { votes: [yes("BO")] })).toEqual(PENDING);
  expect(click(two, "DI", { votes: [yes("CY")] })).toEqual(APPROVED);
});

test("a place ends with its holder: who left the group or became an author has named nobody", () => {
  const handed = named(approval(), "BO", "CY");
  expect(click(handed, "CY", { members: ["DI"] })).toEqual(refused("not_an_approver"));
  expect(click(handed, "CY", { authors: [author("ANA"), author("BO")] })).toEqual(refused("not_an_approver"));
  const two = named(approval([ask({ quorum: 2 })]), "BO", "CY");
  expect(click(two, "DI", { votes: [yes("CY")], members: ["DI"] })).toEqual(PENDING);
});

const REFUSALS: readonly [string, ReturnType<typeof name>, string][] = [
  ["nobody names an author", name(approval(), "BO", "ANA"), "delegate_is_author"],
  ["an author names nobody", name(approval(), "BO", "CY", { authors: [author("BO")] }), "own_run"],
  ["a bystander names nobody", name(approval(), "CY", "EVE"), "not_an_approver"],
  ["who left the group names nobody", name(approval(), "BO", "CY", { members: ["DI"] }), "not_an_approver"],
  ["whoever was named names nobody on", name(named(approval(), "BO", "CY"), "CY", "EVE"), "not_delegable"],
  [
    "nobody is named where the rule does not say so",
    name(approval([ask({ delegate: false })]), "BO", "CY"),
    "not_delegable",
  ],
  ["who has answered names nobody", name(approval(), "BO", "CY", { votes: [yes("BO")] }), "already_voted"],
  ["nobody names themselves", name(approval(), "BO", "BO"), "delegate_self"],
  ["who may answer anyway is not named", name(approval(), "BO", "DI"), "delegate_may_answer"],
  ["one person sits in one place", name(named(approval(), "BO", "CY"), "DI", "CY"), "delegate_may_answer"],
  ["one place is given once", name(named(approval(), "BO", "CY"), "BO", "EVE"), "already_delegated"],
  ["who has answered is not named", name(approval(), "BO", "CY", { votes: [yes("CY")] }), "delegate_voted"],
  [
    "where an author may be anybody nobody is named",
    name(approval(), "BO", "CY", { authors: [{ ...author("ZED"), account: null }] }),
    "author_unlinked",
  ],
  [
    "nobody is named for what is decided",
    name(approval([ask()], { status: "approved" }), "BO", "CY"),
    "already_decided",
  ],
  ["nobody is named for what has expired", name(approval(), "BO", "CY", { at: LATER }), "expired"],
  [
    "a chat account names nobody where it is not enough to answer",
    name(approval([ask({ assurance: "step_up" })]), "BO", "CY"),
    "not_delegable",
  ],
];
test.each(REFUSALS)("%s", (_sentence, verdict, code) => {
  expect(verdict).toEqual(refused(code));
});

test("even where authors may answer, nobody answers for them and they answer for nobody", () => {
  const self = approval([ask({ self: true })]);
  const authors = [author("BO"), author("CY")];
  expect(click(self, "BO", { authors })).toEqual(APPROVED);
  expect(name(self, "DI", "CY", { authors })).toEqual(refused("delegate_is_author"));
  const handed = named(self, "DI", "CY");
  expect(click(handed, "CY", { authors })).toEqual(refused("own_run"));
});

test("naming the same person twice is naming them once", () => {
  const handed = named(approval(), "BO", "CY");
  expect(name(handed, "BO", "CY")).toMatchObject({ refused: null, fresh: false });
});

test("the next group answers once the question is theirs, and not before", () => {
  expect(click(approval(), "GIL", { escalated: ["GIL"] })).toEqual(refused("not_an_approver"));
  const escalated = approval([ask({ escalated: { at: NOW.toISOString(), members: accounts(["GIL"]) } })]);
  expect(click(escalated, "GIL", { escalated: ["GIL"] })).toEqual(APPROVED);
  expect(click(escalated, "GIL", { escalated: [] })).toEqual(refused("not_an_approver"));
  expect(click(escalated, "HAL", { escalated: ["GIL", "HAL"] })).toEqual(refused("not_an_approver"));
  expect(click(escalated, "BO")).toEqual(APPROVED);
});

test("both groups together make the quorum, and an author is one in neither", () => {
  const escalated = approval([
    ask({ quorum: 2, escalated: { at: NOW.toISOString(), members: accounts(["GIL", "ANA"]) } }),
  ]);
  const boss = { escalated: ["GIL", "ANA"] };
  expect(click(escalated, "GIL", { ...boss, votes: [yes("BO")] })).toEqual(APPROVED);
  expect(click(escalated, "ANA", { ...boss, votes: [yes("BO")] })).toEqual(refused("own_run"));
});

test("somebody in both groups is one person", () => {
  const escalated = approval([ask({ quorum: 2, escalated: { at: NOW.toISOString(), members: accounts(["BO"]) } })]);
  expect(click(escalated, "BO", { escalated: ["BO"] })).toEqual(PENDING);
});

test("where more than a chat account is asked for no yes counts, and a no does", () => {
  const strong = approval([ask({ assurance: "step_up" })]);
  expect(click(strong, "BO")).toEqual(refused("step_up"));
  expect(click(strong, "BO", { choice: "deny" })).toEqual({ refused: null, status: "denied" });
  const mixed = approval([ask(), ask({ from: "group:security", assurance: "step_up", members: accounts(["EVE"]) })]);
  const click2 = judge(mixed, [yes("EVE")], {
    ...who("BO"),
    choice: "approve",
    digest: mixed.digest,
    now: NOW,
    authors: [],
    membersNow: [
      { members: accounts(["BO"]), escalated: [] },
      { members: accounts(["EVE"]), escalated: [] },
    ],
  });
  expect(click2).toEqual(PENDING);
});

test("a yes that others may have given covers nothing once the rules let no others", () => {
  const escalated = approval([ask({ escalated: { at: NOW.toISOString(), members: [] } })]);
  expect(covers(escalated, [ask()])).toBe(true);
  expect(covers(escalated, [ask({ escalate: null })])).toBe(false);
  expect(covers(escalated, [ask({ escalate: { afterMs: 1, to: "group:others" } })])).toBe(false);
  const handed = named(approval(), "BO", "CY");
  expect(covers(handed, [ask()])).toBe(true);
  expect(covers(handed, [ask({ delegate: false })])).toBe(false);
  expect(covers(approval(), [ask({ delegate: false, escalate: null })])).toBe(true);
  expect(covers(approval(), [ask({ assurance: "step_up" })])).toBe(false);
});

test("a yes of code owners covers the paths it was asked about and no others", () => {
  const owned = (paths: string[], owners: string[]) => ask({ from: "codeowners", paths, owners });
  const had = approval([owned(["src/a.ts"], ["@bo"]), { ...owned(["docs/b.md"], []), from: "group:security" }]);
  const wanted = (...paths: string[]) => [ask({ from: "codeowners", paths })];
  expect(covers(had, wanted("src/a.ts"))).toBe(true);
  expect(covers(had, wanted("src/a.ts", "docs/b.md"))).toBe(true);
  expect(covers(had, wanted("src/a.ts", "src/c.ts"))).toBe(false);
  expect(covers(had, [ask({ from: "group:security" })])).toBe(false);
});

const PEOPLE = ["ANA", "BO", "CY", "DI", "EVE", "FIN", "GIL"] as const;
const one = fc.constantFrom(...PEOPLE);
const some = fc.uniqueArray(one);
const acts = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("approve" as const, "deny" as const), who: one }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("name" as const), who: one, to: one }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("steer" as const, "leave" as const), who: one }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("escalate" as const), who: one }) },
  ),
  { minLength: 1, maxLength: 16 },
);

test("whoever is named and whoever it goes to, no author and no fewer persons than the quorum decide", () => {
  let decided = 0;
  fc.assert(
    fc.property(
      some,
      some,
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.boolean(),
      acts,
      (leads, boss, quorum, delegate, self, story) => {
        let current = approval([ask({ quorum, delegate, self, members: accounts(leads) })]);
        const votes: CastVote[] = [];
        const authors = new Set<string>(["ANA"]);
        const [inLeads, inBoss] = [new Set<string>(leads), new Set<string>(boss)];
        const gave = new Map<string, string>();
        let open = false;
        for (const act of story) {
          const world = {
            members: [...inLeads],
            escalated: open ? [...inBoss] : [],
            authors: [...authors].map(author),
          };
          if (act.do === "steer") authors.add(act.who);
          else if (act.do === "leave") for (const group of [inLeads, inBoss]) group.delete(act.who);
          else if (act.do === "escalate") {
            if (!open) {
              const escalated = { at: NOW.toISOString(), members: accounts(inBoss) };
              current = { ...current, asks: current.asks.map((each) => ({ ...each, escalated })) };
            }
            open = true;
          } else if (act.do === "name") {
            const done = name(current, act.who, act.to, { ...world, votes });
            if (done.refused === null && done.fresh) {
              expect(delegate).toBe(true);
              expect(authors.has(act.to)).toBe(false);
              gave.set(act.who, act.to);
              current = { ...current, asks: done.asks };
            }
          } else {
            const verdict = click(current, act.who, { ...world, votes, choice: act.do });
            if (verdict.refused !== null) continue;
            votes.push({ ...yes(act.who), choice: act.do });
            current = { ...current, status: verdict.status };
            if (verdict.status !== "approved") continue;
            decided += 1;
            // Known by names and sets alone: who of the groups may answer now, and who sits for whom.
            const holders = PEOPLE.filter((id) => (leads.includes(id) && inLeads.has(id)) || (open && inBoss.has(id)));
            const may = (id: string) => self || !authors.has(id);
            const answered = holders.filter((id) => {
              const own = may(id) && votes.some((vote) => vote.person.id === id);
              const to = gave.get(id);
              const given =
                may(id) && to !== undefined && !authors.has(to) && votes.some((vote) => vote.person.id === to);
              return own || given;
            });
            expect(answered.length).toBeGreaterThanOrEqual(quorum);
            const persons = new Set(
              votes.filter(({ person }) => self || !authors.has(person.id)).map(({ person }) => person.id),
            );
            expect(persons.size).toBeGreaterThanOrEqual(quorum);
          }
        }
      },
    ),
    { numRuns: 4_000 },
  );
  expect(decided).toBeGreaterThan(100);
});
