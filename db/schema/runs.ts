import { index, integer, json, pgEnum, pgTable, primaryKey, sql, text, unique, uuid } from "#db/drizzle.ts";
import type { Scope } from "#policy/scope.ts";
import type { Ticket } from "#runs/run.ts";
import { RUN_STATES } from "#runs/state.ts";
import { org, people, time } from "./orgs.ts";

export const runState = pgEnum("run_state", RUN_STATES);
export const turnState = pgEnum("turn_state", ["queued", "running", "ended"]);

export const run = () =>
  uuid("run_id")
    .notNull()
    .references(() => runs.id);

export const runs = pgTable(
  "runs",
  {
    id: uuid("id").primaryKey(),
    orgId: org(),
    number: integer("number").notNull(),
    requestKey: text("request_key").notNull(),
    state: runState("state").notNull().default("requested"),
    /** Behaviour that must not change while a run is under way is keyed on this. */
    flowVersion: integer("flow_version").notNull().default(1),
    epoch: integer("epoch").notNull().default(0),
    team: text("team").notNull(),
    repo: text("repo").notNull(),
    branch: text("branch").notNull(),
    baseBranch: text("base_branch"),
    baseOid: text("base_oid"),
    headOid: text("head_oid"),
    requesterId: uuid("requester_id")
      .notNull()
      .references(() => people.id),
    requesterName: text("requester_name").notNull(),
    text: text("text").notNull(),
    provider: text("provider").notNull(),
    workspace: text("workspace").notNull(),
    channel: text("channel").notNull(),
    thread: text("thread").notNull(),
    /** Where its people read and answer when that is not its home; all `null` otherwise. */
    mirrorProvider: text("mirror_provider"),
    mirrorWorkspace: text("mirror_workspace"),
    mirrorChannel: text("mirror_channel"),
    /** "" until its first message is there. */
    mirrorThread: text("mirror_thread"),
    /** The ticket it was asked for on; `null`: on none. */
    ticket: json("ticket").$type<Ticket>(),
    because: text("because").notNull(),
    agent: text("agent").notNull(),
    model: text("model").notNull(),
    scope: json("scope").$type<Scope>(),
    policyDigest: text("policy_digest").notNull(),
    resumeTo: runState("resume_to"),
    pullNumber: integer("pull_number"),
    pullUrl: text("pull_url"),
    fixRounds: integer("fix_rounds").notNull().default(0),
    restarts: integer("restarts").notNull().default(0),
    cancelRequestedBy: text("cancel_requested_by"),
    cancelRequestedAt: time("cancel_requested_at"),
    wakeAt: time("wake_at"),
    /** Until then the sweep leaves the run alone: it has just been woken. */
    sweptUntil: time("swept_until"),
    deadlineAt: time("deadline_at"),
    createdAt: time("created_at").notNull().defaultNow(),
    updatedAt: time("updated_at").notNull().defaultNow(),
  },
  (t) => [
    unique("runs_request").on(t.orgId, t.requestKey),
    unique("runs_number").on(t.orgId, t.number),
    index("runs_place").on(t.provider, t.workspace, t.channel, t.thread, t.number),
    index("runs_mirror")
      .on(t.mirrorProvider, t.mirrorWorkspace, t.mirrorChannel, t.mirrorThread, t.number)
      .where(sql`${t.mirrorThread} <> ''`),
    index("runs_requester").on(t.orgId, t.requesterId, t.number),
    index("runs_pull_request").on(t.repo, t.pullNumber),
    index("runs_state").on(t.orgId, t.state, t.number),
    index("runs_wake").on(t.wakeAt).where(sql`${t.wakeAt} is not null`),
  ],
);

export const runAuthors = pgTable(
  "run_authors",
  {
    orgId: org(),
    runId: run(),
    personId: uuid("person_id")
      .notNull()
      .references(() => people.id),
    addedAt: time("added_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.personId] })],
);

export const runTurns = pgTable(
  "run_turns",
  {
    orgId: org(),
    runId: run(),
    n: integer("n").notNull(),
    cause: text("cause", {
      enum: ["request", "follow_up", "rejection", "checks", "interrupted", "review"],
    }).notNull(),
    personId: uuid("person_id").references(() => people.id),
    personName: text("person_name"),
    text: text("text").notNull(),
    state: turnState("state").notNull().default("queued"),
    end: text("end"),
    createdAt: time("created_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.n] })],
);
