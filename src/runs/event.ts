import { z } from "zod";
import { FORGE_CONCLUSIONS, VERDICTS } from "#ports/repo-host.ts";
import { APPROVAL_STATES, GATES, VOTE_REFUSALS } from "./approval.ts";
import { requestShape, ruleShape, trialShape } from "./replay.ts";
import { RUN_STATES } from "./state.ts";
import { TASK_STATUSES } from "./task.ts";

const person = z.strictObject({ id: z.string(), name: z.string() });
const rule = ruleShape;
/** A question as it was put. What was added to the words of policy since is absent in older records. */
const ask = z.strictObject({
  from: z.string(),
  quorum: z.number(),
  self: z.boolean(),
  rule,
  escalate: z.strictObject({ afterMs: z.number(), to: z.string() }).optional(),
  delegate: z.boolean().optional(),
  grants: z
    .strictObject({ for: z.enum(["run", "once"]), uses: z.number().nullable(), ms: z.number().nullable() })
    .optional(),
  /** Of code owners: the paths, who owns them, and of whom nobody was found. */
  paths: z.array(z.string()).optional(),
  owners: z.array(z.string()).optional(),
  unknown: z.array(z.string()).optional(),
});
const oid = z.string();
const state = z.enum(RUN_STATES);

/** Who a failure looks like it belongs to. */
export const FAULTS = ["code", "environment", "policy", "budget", "model", "us"] as const;
export type Fault = (typeof FAULTS)[number];

/** What our check found, base against head. */
export const CHECK_VERDICTS = ["green", "fixed", "broke", "already_red", "flaky", "not_run"] as const;

/**
 * Everything that can happen to a run. Append a kind, never change one: stored runs are read with this for years.
 * Pages, receipts, metrics and spend are folds of these.
 */
export const EventBody = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("run.requested"),
    by: person,
    text: z.string(),
    surface: z.string(),
    channel: z.string(),
    thread: z.string(),
    team: z.string(),
    repo: z.string(),
    because: z.string(),
    /** `repo`: where the commit is, "owner/name"; absent in older records, and of a folder that is a checkout of none. */
    policy: z.strictObject({ repo: z.string().optional(), commit: z.string(), digest: z.string() }),
    agent: z.string(),
    model: z.string(),
    /** The ticket it was asked for on. */
    ticket: z.strictObject({ id: z.string(), name: z.string(), url: z.string() }).optional(),
    /** The named prompt it was asked with, and where policy has it. */
    recipe: z.strictObject({ name: z.string(), title: z.string(), at: z.string() }).optional(),
  }),
  z.strictObject({
    kind: z.literal("run.moved"),
    from: state,
    to: state,
    by: person.nullable(),
    why: z.string().nullable(),
  }),
  z.strictObject({
    kind: z.literal("policy.decided"),
    /** "start", "command", "host", "path", "publish", "secret"; of a line that is no rule "sandbox", "recipe", "budget". */
    about: z.string(),
    subject: z.string(),
    outcome: z.enum(["allow", "ask", "deny"]),
    reason: z.string().nullable(),
    rules: z.array(rule),
    digest: z.string(),
    request: requestShape.optional(),
    trial: trialShape.optional(),
  }),
  z.strictObject({
    kind: z.literal("approval.opened"),
    approval: z.string(),
    gate: z.enum(GATES),
    digest: z.string(),
    subject: z.record(z.string(), z.unknown()),
    asks: z.array(ask),
    askNo: z.number(),
    expiresAt: z.string(),
  }),
  z.strictObject({
    kind: z.literal("approval.refused"),
    approval: z.string(),
    by: person,
    choice: z.enum(["approve", "deny"]),
    code: z.enum([...VOTE_REFUSALS, "directory_unavailable", "not_a_member", "not_linked"]),
  }),
  z.strictObject({
    kind: z.literal("approval.voted"),
    approval: z.string(),
    by: person,
    choice: z.enum(["approve", "deny"]),
    reason: z.string().nullable(),
    digest: z.string(),
  }),
  z.strictObject({ kind: z.literal("approval.closed"), approval: z.string(), status: z.enum(APPROVAL_STATES) }),
  z.strictObject({ kind: z.literal("author.joined"), person }),
  z.strictObject({
    kind: z.literal("sandbox.ready"),
    sandbox: z.string(),
    slot: z.string(),
    provider: z.string(),
    isolation: z.string(),
    ms: z.number(),
  }),
  z.strictObject({ kind: z.literal("sandbox.lost"), sandbox: z.string(), slot: z.string(), why: z.string() }),
  z.strictObject({ kind: z.literal("sandbox.destroyed"), sandbox: z.string(), slot: z.string() }),
  z.strictObject({
    kind: z.literal("setup.ran"),
    command: z.string(),
    exitCode: z.number().nullable(),
    ms: z.number(),
    output: z.string(),
  }),
  z.strictObject({
    kind: z.literal("turn.started"),
    turn: z.number(),
    cause: z.enum(["request", "follow_up", "rejection", "checks", "interrupted", "review"]),
    by: person.nullable(),
    text: z.string(),
  }),
  z.strictObject({ kind: z.literal("turn.ended"), turn: z.number(), end: z.string(), detail: z.string().nullable() }),
  z.strictObject({ kind: z.literal("agent.started"), session: z.string(), name: z.string(), version: z.string() }),
  z.strictObject({ kind: z.literal("agent.said"), text: z.string() }),
  z.strictObject({
    kind: z.literal("agent.planned"),
    tasks: z.array(z.strictObject({ title: z.string(), status: z.enum(TASK_STATUSES) })),
  }),
  z.strictObject({ kind: z.literal("agent.exited"), code: z.number().nullable(), signal: z.string().nullable() }),
  z.strictObject({
    kind: z.literal("tool.started"),
    tool: z.string(),
    toolKind: z.string(),
    title: z.string(),
    command: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("tool.output"), tool: z.string(), text: z.string() }),
  z.strictObject({
    kind: z.literal("tool.ended"),
    tool: z.string(),
    status: z.enum(["ok", "failed", "interrupted"]),
    exitCode: z.number().nullable(),
  }),
  z.strictObject({
    kind: z.literal("egress.decided"),
    via: z.string(),
    host: z.string(),
    port: z.number(),
    method: z.string().nullable(),
    outcome: z.enum(["allow", "deny"]),
    reason: z.string(),
    rule: z.string().nullable(),
    sandbox: z.string().nullable(),
    trial: trialShape.optional(),
  }),
  z.strictObject({
    kind: z.literal("egress.closed"),
    host: z.string(),
    sentBytes: z.number(),
    receivedBytes: z.number(),
    durationMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal("model.called"),
    model: z.string(),
    status: z.number(),
    inputTokens: z.number(),
    cachedTokens: z.number(),
    outputTokens: z.number(),
    usd: z.number(),
    prices: z.string(),
    durationMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal("push.decided"),
    branch: z.string(),
    oid,
    outcome: z.enum(["allow", "deny"]),
    reason: z.string(),
    rule: z.string().nullable(),
    detail: z.string().nullable(),
    /** What the rules about paths were asked; absent in older records, where they did not decide, and of very many. */
    paths: z.array(z.string()).optional(),
    asks: z.boolean().optional(),
    trial: trialShape.optional(),
  }),
  z.strictObject({
    kind: z.literal("work.committed"),
    base: oid,
    head: oid,
    files: z.array(
      z.strictObject({
        path: z.string(),
        status: z.enum(["added", "modified", "deleted", "renamed"]),
        additions: z.number().nullable(),
        deletions: z.number().nullable(),
      }),
    ),
  }),
  z.strictObject({
    kind: z.literal("check.ran"),
    name: z.string(),
    command: z.string(),
    on: z.enum(["base", "head", "head_again"]),
    oid,
    exitCode: z.number().nullable(),
    ms: z.number(),
    output: z.string(),
  }),
  z.strictObject({
    kind: z.literal("check.judged"),
    name: z.string(),
    required: z.boolean(),
    verdict: z.enum(CHECK_VERDICTS),
  }),
  z.strictObject({
    kind: z.literal("scan.ran"),
    name: z.string(),
    findings: z.array(
      z.strictObject({ path: z.string(), line: z.number().nullable(), what: z.string(), blocks: z.boolean() }),
    ),
  }),
  z.strictObject({ kind: z.literal("branch.pushed"), repo: z.string(), branch: z.string(), oid }),
  z.strictObject({
    kind: z.literal("pull_request.opened"),
    repo: z.string(),
    number: z.number(),
    url: z.string(),
    draft: z.boolean(),
    oid,
  }),
  z.strictObject({
    kind: z.literal("pull_request.changed"),
    repo: z.string(),
    number: z.number(),
    change: z.enum(["merged", "closed", "reopened", "reviewed"]),
    by: z.string(),
    oid: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("receipt.signed"), digest: z.string(), keyId: z.string(), events: z.number() }),
  z.strictObject({ kind: z.literal("grant.used"), approval: z.string(), digest: z.string() }),
  z.strictObject({ kind: z.literal("run.answered"), text: z.string() }),
  z.strictObject({ kind: z.literal("run.stopped"), by: person }),
  z.strictObject({
    kind: z.literal("run.handed_off"),
    fault: z.enum(FAULTS),
    tried: z.string(),
    failed: z.string(),
    next: z.string(),
    branch: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("notice"), text: z.string() }),
  /** It was asked for in the thread of a run that takes no more words. `pull`: of that run; `null` while it is being opened. */
  z.strictObject({ kind: z.literal("run.beside"), number: z.number(), repo: z.string(), pull: z.number().nullable() }),
  /** Who had it put again after it had expired; its "approval.opened" stands just before. */
  z.strictObject({ kind: z.literal("approval.asked_again"), approval: z.string(), by: person }),
  /** It left draft: policy lets it, and every check was green. */
  z.strictObject({ kind: z.literal("pull_request.ready"), repo: z.string(), number: z.number() }),
  z.strictObject({
    kind: z.literal("pull_request.reviewed"),
    repo: z.string(),
    number: z.number(),
    by: z.string(),
    verdict: z.enum(VERDICTS),
    oid: oid.nullable(),
    url: z.string().nullable(),
  }),
  /** The forge's own checks of a commit; `by` is who ran them. */
  z.strictObject({
    kind: z.literal("forge.checked"),
    repo: z.string(),
    number: z.number(),
    by: z.string(),
    conclusion: z.enum(FORGE_CONCLUSIONS),
    oid: oid.nullable(),
    url: z.string().nullable(),
  }),
  /** Nobody of `from` had decided in time: the people of `to` may answer as well from here on. */
  z.strictObject({ kind: z.literal("approval.escalated"), approval: z.string(), from: z.string(), to: z.string() }),
  /** `by` had somebody else answer in their place. `account`: how the surface calls them. */
  z.strictObject({
    kind: z.literal("approval.delegated"),
    approval: z.string(),
    by: person,
    to: person,
    account: z.string(),
  }),
  /** What our checks found was told to the forge, each under its name. */
  z.strictObject({ kind: z.literal("checks.reported"), repo: z.string(), oid, names: z.array(z.string()) }),
  /** Whom the repository names for what changed were asked for their review, as the forge calls them. */
  z.strictObject({ kind: z.literal("review.asked"), repo: z.string(), number: z.number(), of: z.array(z.string()) }),
  /** Authors with the accounts elsewhere that they have shown to be theirs; who has none is left out. */
  z.strictObject({
    kind: z.literal("authors.known"),
    authors: z.array(
      z.strictObject({
        person,
        accounts: z.array(
          z.strictObject({
            provider: z.string(),
            workspace: z.string(),
            id: z.string(),
            name: z.string().nullable(),
          }),
        ),
      }),
    ),
  }),
]);
export type EventBody = z.infer<typeof EventBody>;

export interface RunEvent {
  readonly runId: string;
  readonly seq: number;
  /** Set by Postgres. */
  readonly at: Date;
  readonly body: EventBody;
  /** SHA-256 over the previous hash and this line: see `chain.ts`. */
  readonly hash: string;
}
