import { approvalState, approvals, approvalVotes, choice, gate } from "./schema/approvals.ts";
import { identities, installations, orgs, people, policies } from "./schema/orgs.ts";
import { installationHeads, receipts, runEvents, runHeads } from "./schema/record.ts";
import { runAuthors, runState, runs, runTurns, turnState } from "./schema/runs.ts";
import { slackInstalls, slackWorkspaces } from "./schema/slack.ts";
import { monthSpending, runBudgets } from "./schema/spending.ts";
import { sessions } from "./schema/web.ts";
import { cursors, effectState, effects, inbox, notes, outbox, sandboxes, sandboxState } from "./schema/work.ts";

/**
 * Every table and type, the same for PGlite and Postgres. After a change (the tool sees no table in this file itself):
 * `npx drizzle-kit generate --dialect postgresql --schema "db/schema/*.ts" --out db/migrations --name what_changes`
 */
export const schema = {
  orgs,
  installations,
  people,
  identities,
  policies,
  runs,
  runAuthors,
  runTurns,
  approvals,
  approvalVotes,
  runHeads,
  runEvents,
  installationHeads,
  receipts,
  runBudgets,
  monthSpending,
  inbox,
  effects,
  sandboxes,
  outbox,
  notes,
  sessions,
  slackWorkspaces,
  slackInstalls,
  cursors,
  runState,
  turnState,
  approvalState,
  gate,
  choice,
  effectState,
  sandboxState,
};
