import { index, integer, json, pgTable, primaryKey, text, timestamp, uuid } from "#db/drizzle.ts";
import type { Policy } from "#policy/policy.ts";
import type { LinkProof } from "#runs/linkable.ts";

/** Milliseconds, so that the time an event's hash covers is the time that is read back (`runs/chain.ts`). */
export const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** Every row names its organisation. */
export const org = () =>
  uuid("org_id")
    .notNull()
    .references(() => orgs.id);

export const orgs = pgTable("orgs", {
  id: uuid("id").primaryKey(),
  name: text("name").notNull().unique(),
  /** The number of the newest run; counting locks the row, so numbers have no duplicates. */
  runCount: integer("run_count").notNull().default(0),
  createdAt: time("created_at").notNull().defaultNow(),
});

/** Whose keys, sandboxes and gateway the runs of an organisation are bound to: see `installation.ts`. */
export const installations = pgTable("installations", {
  orgId: org().primaryKey(),
  /** Of the key that signs receipts. */
  keyId: text("key_id").notNull(),
  since: time("since").notNull().defaultNow(),
});

export const people = pgTable("people", {
  id: uuid("id").primaryKey(),
  orgId: org(),
  name: text("name").notNull(),
  createdAt: time("created_at").notNull().defaultNow(),
});

export const identities = pgTable(
  "identities",
  {
    orgId: org(),
    provider: text("provider").notNull(),
    workspace: text("workspace").notNull(),
    externalId: text("external_id").notNull(),
    personId: uuid("person_id")
      .notNull()
      .references(() => people.id),
    /** As the account is called there, at its last proof; `null`: nobody said. */
    name: text("name"),
    /** How its person showed that it is theirs: "sign_in", "code"; `null`: nobody wrote that down, or a chat account. */
    proof: text("proof").$type<LinkProof>(),
    verifiedAt: time("verified_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.orgId, t.provider, t.workspace, t.externalId] }),
    index("identities_person").on(t.personId),
  ],
);

/** Compiled policies as they were in force. Never changed: a run answers to the one it was asked under. */
export const policies = pgTable(
  "policies",
  {
    orgId: org(),
    digest: text("digest").notNull(),
    policy: json("policy").$type<Policy>().notNull(),
    /** The files it was made of, by name, without secrets; `null`: kept before they were, or by who had none. */
    sources: json("sources").$type<Readonly<Record<string, string>>>(),
    keptAt: time("kept_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.orgId, t.digest] })],
);
