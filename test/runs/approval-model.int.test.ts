import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Account } from "#ports/directory.ts";
import type { Approval, ApprovalState } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { handlers } from "#runs/life/tick.ts";
import { eventsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import { hear } from "#runs/request/hear.ts";
import { vote } from "#runs/request/vote.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse, person } from "./memory-house.ts";

/**
 * The life of one question over the real store, against a second account of it that knows only names and sets. Two of
 * the leads and one of security have to say yes; no worker runs, so that nothing happens but what people do.
 */

const PEOPLE: Readonly<Record<string, Account>> = {
  ana: ANA,
  bo: BO,
  cy: CY,
  dee: DEE,
  eve: person("U0EVE", "Eve"),
  fin: person("U0FIN", "Fin"),
};
const QUORUM = { leads: 2, security: 1 } as const;
type Group = keyof typeof QUORUM;
const GROUPS: readonly Group[] = ["leads", "security"];
const FIRST = { leads: ["bo", "cy", "eve"], security: ["bo", "fin"] } as const;
const SLACK = { leads: "S0LEADS", security: "S0SEC", shop: "S0SHOP" } as const;
const MINUTE = 60_000;
const EXPIRES = 30 * MINUTE;

type Act =
  | { readonly do: "approve" | "deny"; readonly who: string; readonly card: "newest" | "before" | "other bytes" }
  | { readonly do: "join" | "leave"; readonly who: string; readonly group: Group }
  | { readonly do: "speak" | "ask again"; readonly who: string }
  | { readonly do: "pass"; readonly minutes: number; readonly look: boolean }
  | { readonly do: "directory"; readonly away: boolean };

const who = fc.constantFrom(...Object.keys(PEOPLE));
const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("approve" as const, "approve" as const, "approve" as const, "deny" as const),
      who,
      card: fc.constantFrom("newest" as const, "newest" as const, "before" as const, "other bytes" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("join" as const, "leave" as const),
      who,
      group: fc.constantFrom(...GROUPS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("speak" as const, "ask again" as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      minutes: fc.constantFrom(1, 10, 15, 30),
      look: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("directory" as const), away: fc.boolean() }) },
);

/** A question as whoever only watches people would know it. */
interface Question {
  readonly id: string;
  readonly digest: string;
  /** Who was in each group when it was put. */
  readonly then: Readonly<Record<Group, ReadonlySet<string>>>;
  readonly expiresAt: number;
  readonly yes: Set<string>;
  readonly voted: Set<string>;
  status: ApprovalState;
}

let house: Awaited<ReturnType<typeof memoryHouse>>;
let core: Core;
let clock = Date.parse("2026-01-01T12:00:00Z");
let conversations = 0;

beforeAll(async () => {
  house = await memoryHouse();
  house.policy.edit("teams/shop.yaml", "    why: the shop", "    quorum: 2\n    why: the shop");
  house.policy.edit(
    "teams/shop.yaml",
    "  - allow: { git.repo: acme/shop }",
    "  - ask: { git.repo: acme/shop }\n    from: group:security",
  );
  core = {
    ...house.core,
    clock: { now: () => new Date(clock) },
    engine: { ...house.core.engine, wake: async () => undefined },
  };
});
afterAll(async () => {
  await house.close();
});

/** Plays one story to its end and holds every step of it to the second account. Returns how its questions ended. */
async function play(story: readonly Act[]): Promise<ReadonlySet<ApprovalState>> {
  const groups = { leads: new Set<string>(FIRST.leads), security: new Set<string>(FIRST.security) };
  const authors = new Set(["ana"]);
  const words: string[] = [];
  const questions: Question[] = [];
  let away = false;
  let counted = 0;
  let refused = 0;

  const settle = (group: keyof typeof SLACK, members: Iterable<string>) =>
    house.directory.group(
      { slack_usergroup: SLACK[group] },
      [...members].map((name) => PEOPLE[name]?.id ?? ""),
    );
  house.directory.fail(null);
  settle("shop", Object.keys(PEOPLE));
  for (const group of GROUPS) settle(group, groups[group]);

  conversations += 1;
  const place = { provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread: `model-${conversations}` };
  const say = (name: string, text: string, first: boolean) =>
    hear(core, {
      account: PEOPLE[name] as Account,
      place,
      first,
      requestKey: `${place.thread}/${words.length}/${first}`,
      text,
      shared: false,
      direct: false,
    });
  expect(await say("ana", "append a line to README.md", true)).toBeNull();
  const begun = (await core.stores.runs.byPlace(place)) as Run;
  await handlers(core).tick(begun.id);
  const runNow = async () => (await core.stores.runs.get(begun.id)) as Run;
  const stored = () => core.stores.approvals.ofRun(begun.id);

  /** The newest question of the store has just been put. */
  async function putNow(then: Question["then"]): Promise<void> {
    const approval = (await stored()).at(-1) as Approval;
    expect(approval.subject.added ?? []).toEqual(words);
    expect(questions.map(({ id }) => id)).not.toContain(approval.id);
    const { id, digest } = approval;
    expect(approval.expiresAt.getTime()).toBe(clock + EXPIRES);
    const fresh = { yes: new Set<string>(), voted: new Set<string>(), status: "pending" as const };
    questions.push({ id, digest, then, expiresAt: clock + EXPIRES, ...fresh });
  }
  const asTheyAre = () => ({ leads: new Set(groups.leads), security: new Set(groups.security) });
  await putNow(asTheyAre());

  /** What a click has to do, by names and sets alone. */
  function judged(question: Question, name: string, choice: "approve" | "deny", bytes: boolean): boolean {
    const mine = GROUPS.filter((group) => question.then[group].has(name) && groups[group].has(name));
    const open = question.status === "pending" && clock < question.expiresAt;
    if (!open || !bytes || away || name === "dee" || mine.length === 0) return false;
    if (authors.has(name) || question.voted.has(name)) return false;
    question.voted.add(name);
    if (choice === "deny") {
      question.status = "denied";
      return true;
    }
    question.yes.add(name);
    const met = GROUPS.every((group) => {
      const counting = [...question.yes].filter(
        (one) => question.then[group].has(one) && groups[group].has(one) && !authors.has(one),
      );
      return counting.length >= QUORUM[group];
    });
    if (met) question.status = "approved";
    return true;
  }

  const answered = (view: View | null, well: boolean, act: Act) =>
    expect(view?.kind, `${JSON.stringify(act)} is answered`).toBe(well ? "noted" : "refused");

  for (const act of story) {
    const newest = questions.at(-1) as Question;
    const waits = !questions.some(({ status }) => status === "approved" || status === "denied");
    switch (act.do) {
      case "approve":
      case "deny": {
        const question = (act.card === "before" ? questions.at(-2) : undefined) ?? newest;
        const digest = act.card === "other bytes" ? `sha256:${"0".repeat(64)}` : question.digest;
        const well = judged(question, act.who, act.do, digest === question.digest);
        if (well) counted += 1;
        else refused += 1;
        const account = PEOPLE[act.who] as Account;
        const cast = { approvalId: question.id, digest, account, choice: act.do, reason: null, place };
        answered(await vote(core, cast), well, act);
        break;
      }
      case "join":
      case "leave":
        groups[act.group][act.do === "join" ? "add" : "delete"](act.who);
        settle(act.group, groups[act.group]);
        break;
      case "speak": {
        // What is said to a run that was decided is another story.
        if (!waits) break;
        const well = !away && act.who !== "dee";
        if (well) {
          words.push(`${PEOPLE[act.who]?.name}: more ${words.length}`);
          authors.add(act.who);
        }
        answered(await say(act.who, `more ${words.length - (well ? 1 : 0)}`, false), well, act);
        if (well && newest.status === "pending") {
          newest.status = "void";
          await putNow(newest.then);
        }
        break;
      }
      case "ask again": {
        const may = GROUPS.some((group) => groups[group].has(act.who)) || authors.has(act.who);
        const well = waits && !away && act.who !== "dee" && may && newest.status === "expired";
        const account = PEOPLE[act.who] as Account;
        answered(await askAgain(core, { approvalId: newest.id, account, place }), well, act);
        if (well) await putNow(asTheyAre());
        break;
      }
      case "pass":
        clock += act.minutes * MINUTE;
        if (!act.look || !waits) break;
        await handlers(core).tick(begun.id);
        if (newest.status === "pending" && clock >= newest.expiresAt) newest.status = "expired";
        break;
      case "directory":
        away = act.away;
        house.directory.fail(away ? "Slack is down" : null);
        break;
      default:
        act satisfies never;
    }
    const after = await stored();
    expect(after.map(({ id, status }) => [id, status])).toEqual(questions.map(({ id, status }) => [id, status]));
    const { state } = await runNow();
    const decided = questions.find(({ status }) => status === "approved" || status === "denied");
    expect(state).toBe(decided === undefined ? "waiting" : decided.status === "approved" ? "queued" : "denied");
  }

  const events = (await eventsOf(core, begun.id)).map(({ body }) => body);
  expect(events.filter((body) => body.kind === "approval.voted")).toHaveLength(counted);
  expect(events.filter((body) => body.kind === "approval.refused")).toHaveLength(refused);
  const closed = events.flatMap((body) => (body.kind === "approval.closed" ? [[body.approval, body.status]] : []));
  const ended = questions.filter(({ status }) => status !== "pending").map(({ id, status }) => [id, status]);
  expect(closed.toSorted()).toEqual(ended.toSorted());
  return new Set(questions.map(({ status }) => status));
}

const click = (name: string, choice: "approve" | "deny" = "approve"): Act => ({
  do: choice,
  who: name,
  card: "newest",
});
const join = (name: string, group: Group): Act => ({ do: "join", who: name, group });
const leave = (name: string, group: Group): Act => ({ do: "leave", who: name, group });
const pass = (minutes: number): Act => ({ do: "pass", minutes, look: true });

/** Stories that must be among those played, whatever chance finds. */
const TOLD: Readonly<Record<string, readonly [readonly Act[], ApprovalState]>> = {
  "two leads, one of them of security too, are enough": [[click("bo"), click("cy")], "approved"],
  "two leads without security are not": [[click("cy"), click("eve")], "pending"],
  "one no is enough, after a yes": [[click("bo"), click("fin", "deny")], "denied"],
  "nobody answers": [[click("bo"), pass(30)], "expired"],
  "words after a yes void it": [[click("bo"), { do: "speak", who: "cy" }, click("eve")], "void"],
  "a question that is asked again takes whoever is in the group by then": [
    [join("ana", "leads"), pass(30), join("fin", "leads"), { do: "ask again", who: "ana" }, click("fin"), click("cy")],
    "approved",
  ],
  "who has left since they said yes does not count": [[click("bo"), leave("bo", "leads"), click("cy")], "pending"],
  "who has left and come back counts": [
    [click("bo"), leave("bo", "leads"), join("bo", "leads"), click("cy")],
    "approved",
  ],
};
for (const [sentence, [story, end]] of Object.entries(TOLD)) {
  test(sentence, async () => {
    expect(await play(story)).toContain(end);
  });
}

test("whatever people do, in whatever order, a question ends as the names and the sets say", {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(acts, { minLength: 1, maxLength: 16 }), async (story) => {
      await play(story);
    }),
    // As many as there is time for: each is a run in a real database.
    {
      numRuns: 60,
      interruptAfterTimeLimit: 30_000,
      endOnFailure: false,
      examples: Object.values(TOLD).map(([story]) => [[...story]]),
    },
  );
});
