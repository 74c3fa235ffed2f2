// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source text
import type { Mutation } from "./mutation.ts";

const store = (test: string) => ({ file: "test/db/store.int.test.ts", test });

/** What the database holds when two want the same thing, or one of them is a ghost. */
export const STORE: readonly Mutation[] = [
  {
    name: "a worker that lost its run may go on writing",
    file: "db/fence.ts",
    find: "if (run.epoch !== null && run.epoch !== epoch) {",
    replace: "if (run.epoch !== null && run.epoch > epoch) {",
    red: store("two workers race for one run: the later one has it, the earlier one is fenced"),
  },
  {
    name: "the record takes events of an old epoch",
    file: "db/events.ts",
    find: "  const to = asDb(tx);\n  await holdRun(to, { id: runId, epoch });",
    replace: "  const to = asDb(tx);\n  epoch = null;\n  await holdRun(to, { id: runId, epoch });",
    red: store("two workers race for one run: the later one has it, the earlier one is fenced"),
  },
  {
    name: "a move does not look at the state it believes in",
    file: "db/runs.ts",
    find: ".where(and(eq(runs.id, run.id), eq(runs.state, run.state), eq(runs.epoch, run.epoch)))",
    replace: ".where(and(eq(runs.id, run.id), eq(runs.epoch, run.epoch)))",
    red: store("of two moves out of one state one wins"),
  },
  {
    name: "a move does not look at the epoch",
    file: "db/runs.ts",
    find: ".where(and(eq(runs.id, run.id), eq(runs.state, run.state), eq(runs.epoch, run.epoch)))",
    replace: ".where(and(eq(runs.id, run.id), eq(runs.state, run.state)))",
    red: store("two workers race for one run: the later one has it, the earlier one is fenced"),
  },
  {
    name: "a field of a run is changed by who no longer has it",
    file: "db/runs.ts",
    find: ".where(and(eq(runs.id, run.id), eq(runs.epoch, run.epoch)))",
    replace: ".where(eq(runs.id, run.id))",
    red: store("two workers race for one run: the later one has it, the earlier one is fenced"),
  },
  {
    name: "a run that is over can be taken up again",
    file: "db/runs.ts",
    find: ".set({ epoch: sql`${runs.epoch} + 1`, updatedAt: sql`clock_timestamp()` })\n          .where(and(eq(runs.id, id), notInArray(runs.state, FINAL)))",
    replace:
      ".set({ epoch: sql`${runs.epoch} + 1`, updatedAt: sql`clock_timestamp()` })\n          .where(eq(runs.id, id))",
    red: store("a final run cannot be taken or cancelled"),
  },
  {
    name: "a stop leaves its owner unfenced",
    file: "db/runs.ts",
    find: "cancelRequestedAt: sql`coalesce(${runs.cancelRequestedAt}, clock_timestamp())`,\n      epoch: sql`${runs.epoch} + 1`,",
    replace:
      "cancelRequestedAt: sql`coalesce(${runs.cancelRequestedAt}, clock_timestamp())`,\n      epoch: sql`${runs.epoch} + 0`,",
    red: store("asking for a stop fences the owner"),
  },
  {
    name: "two questions about the same bytes are open at once",
    file: "db/migrations/0000_first.sql",
    find: 'CREATE UNIQUE INDEX "approvals_pending"',
    replace: 'CREATE INDEX "approvals_pending"',
    red: store("the same question is open once, and its transaction survives being told so"),
  },
  {
    name: "an answered question is answered again",
    file: "db/approvals.ts",
    find: '.where(and(mine(orgId, id), eq(approvals.status, "pending")))',
    replace: ".where(mine(orgId, id))",
    red: store("a question that was closed can be asked again, and counts"),
  },
  {
    name: "one person's vote counts as often as it is sent",
    file: "db/migrations/0000_first.sql",
    find: 'CONSTRAINT "approval_votes_approval_id_person_id_pk" PRIMARY KEY("approval_id","person_id")',
    replace: 'CONSTRAINT "approval_votes_approval_id_person_id_pk" CHECK ("approval_id" IS NOT NULL)',
    red: store("two votes of one person are one row"),
  },
  {
    name: "an event does not bind the one before it",
    file: "src/runs/chain.ts",
    find: "sha256(`${previous}\\n${seq}\\n${at.getTime()}\\n${canonical(body)}`)",
    replace: "sha256(`${seq}\\n${at.getTime()}\\n${canonical(body)}`)",
    red: { file: "test/runs/chain.test.ts", test: "its events are bound to nothing but themselves" },
  },
  {
    name: "a delivery that somebody works on is taken up by another",
    file: "src/surfaces/deliveries.ts",
    find: "inbox.hold(source, [...running.keys()], claimMs)",
    replace: "inbox.hold(source, [], claimMs)",
    red: {
      file: "test/surfaces/deliveries.int.test.ts",
      test: "work that lasts longer than a claim keeps its delivery",
    },
  },
  {
    name: "two processes take up what a third left",
    file: "db/inbox.ts",
    find: ".set({ claimedUntil: inMs(claimMs) })",
    replace: ".set({ claimedUntil: inMs(-1) })",
    red: {
      file: "test/surfaces/deliveries.int.test.ts",
      test: "what a process kept is its own, and when nothing more is heard of it one of the others does it, once",
    },
  },
];
