import type { Stores } from "#runs/stores.ts";
import { approvalStore } from "./approvals.ts";
import { cursorStore } from "./cursors.ts";
import { effectStore } from "./effects.ts";
import { eventStore } from "./events.ts";
import { inboxStore } from "./inbox.ts";
import { noteStore } from "./notes.ts";
import type { Database } from "./open.ts";
import { outboxStore } from "./outbox.ts";
import { peopleStore } from "./people.ts";
import { policyArchive } from "./policies.ts";
import { receiptStore } from "./receipts.ts";
import { runStore } from "./runs.ts";
import { sandboxStore } from "./sandboxes.ts";
import { sessionStore } from "./sessions.ts";
import { slackStore } from "./slack.ts";
import { shareStore } from "./spending.ts";
import { turnStore } from "./turns.ts";

/** Everything the core keeps, for one organisation. */
export function stores(database: Database, o: { readonly orgId: string }): Stores {
  const { db } = database;
  return {
    runs: runStore(db, o.orgId),
    events: eventStore(database, o.orgId),
    approvals: approvalStore(db, o.orgId),
    people: peopleStore(database.db, o.orgId),
    turns: turnStore(db, o.orgId),
    effects: effectStore(db, o.orgId),
    sandboxes: sandboxStore(db, o.orgId),
    inbox: inboxStore(db, o.orgId),
    outbox: outboxStore(db, o.orgId),
    cursors: cursorStore(db, o.orgId),
    receipts: receiptStore(db, o.orgId),
    policies: policyArchive(db, o.orgId),
    notes: noteStore(db, o.orgId),
    sessions: sessionStore(db, o.orgId),
    workspaces: slackStore(db, o.orgId),
    shares: shareStore(db, o.orgId),
  };
}
