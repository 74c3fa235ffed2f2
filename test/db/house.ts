import { randomUUID } from "node:crypto";
import type { Database } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import type { Store, Tx } from "#ports/store.ts";
import type { EventBody } from "#runs/event.ts";
import { newId } from "#runs/ids.ts";
import type { NewRun, Person, Run } from "#runs/run.ts";
import type { Stores } from "#runs/stores.ts";

/** A house of one organisation, as a test needs it. */
export interface House extends Stores {
  readonly store: Store;
  readonly orgId: string;
  person(name: string): Promise<Person>;
  run(o?: Partial<NewRun>): Promise<Run>;
  tx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

export async function house(database: Database, org = `org ${randomUUID()}`): Promise<House> {
  const orgId = await ensureOrg(database.db, org);
  const kept = stores(database, { orgId });
  const transactions = store(database.db);
  const person = (name: string) =>
    transactions.tx((tx) =>
      kept.people.resolve(tx, orgId, { provider: "slack", workspace: "T1", id: `U-${randomUUID()}` }, name),
    );
  return {
    ...kept,
    store: transactions,
    orgId,
    person,
    tx: (work) => transactions.tx(work),
    async run(o = {}) {
      const requester = o.requester ?? (await person("Mina"));
      const run = await transactions.tx((tx) => kept.runs.insert(tx, newRun(orgId, requester, o)));
      if (!run) throw new Error("the request key was taken");
      return run;
    },
  };
}

export function newRun(orgId: string, requester: Person, o: Partial<NewRun> = {}): NewRun {
  return {
    id: newId(new Date()),
    orgId,
    requestKey: randomUUID(),
    team: "shop",
    repo: "acme/shop",
    branch: "agent/x",
    requester,
    text: "make the button green",
    place: { provider: "slack", workspace: "T1", channel: "C1", thread: randomUUID() },
    because: "channel C1 belongs to shop",
    agent: "demo",
    model: "scripted",
    policyDigest: "sha256:0",
    ...o,
  };
}

export const note = (text: string): EventBody => ({ kind: "notice", text });

/** One database as two processes see it; on PGlite, which serves one, they are the same. */
export interface Pair {
  readonly first: Database;
  readonly second: Database;
  close(): Promise<void>;
}
