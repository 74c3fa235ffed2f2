import { newId } from "#runs/ids.ts";
import type { Person } from "#runs/run.ts";
import type { PeopleStore } from "#runs/stores.ts";
import { alias, and, asc, eq, ne, sql } from "./drizzle.ts";
import { storable } from "./fence.ts";
import { identities, people } from "./schema/orgs.ts";
import { runAuthors } from "./schema/runs.ts";
import { asDb, type Db, reading, rows } from "./store.ts";

export function peopleStore(db: Db, orgId: string): PeopleStore {
  return {
    async resolve(tx, org, account, name) {
      const at = asDb(tx);
      // By hand, as all that a person waits for.
      const known = async () =>
        rows<Person>(
          await at.execute(sql`
            select people.id, people.name from identities join people on people.id = identities.person_id
            where identities.org_id = ${org} and identities.provider = ${account.provider}
              and identities.workspace = ${account.workspace} and identities.external_id = ${account.id}`),
        );
      const [person] = await known();
      if (person) return person;

      const made = { id: newId(new Date()), name: storable(name) };
      await at.insert(people).values({ ...made, orgId: org });
      const linked = await at
        .insert(identities)
        .values({
          orgId: org,
          provider: account.provider,
          workspace: account.workspace,
          externalId: account.id,
          personId: made.id,
        })
        .onConflictDoNothing()
        .returning({ personId: identities.personId });
      if (linked.length > 0) return made;
      // Someone else saw the account first; the insert waited for their commit, so theirs can be read now.
      await at.delete(people).where(eq(people.id, made.id));
      const [theirs] = await known();
      if (!theirs) throw new Error(`The identity ${account.provider}/${account.id} belongs to nobody.`);
      return theirs;
    },
    async identities(tx, personId) {
      return asDb(tx)
        .select({ provider: identities.provider, workspace: identities.workspace, id: identities.externalId })
        .from(identities)
        .where(and(eq(identities.orgId, orgId), eq(identities.personId, personId)))
        .orderBy(asc(identities.verifiedAt), asc(identities.provider));
    },
    async accounts(tx, personId) {
      return asDb(tx)
        .select({
          provider: identities.provider,
          workspace: identities.workspace,
          id: identities.externalId,
          name: identities.name,
        })
        .from(identities)
        .where(and(eq(identities.orgId, orgId), eq(identities.personId, personId)))
        .orderBy(asc(identities.verifiedAt), asc(identities.provider));
    },
    async accountOn(account, on) {
      const mine = alias(identities, "mine");
      const [found] = await reading(db)
        .select({ provider: identities.provider, workspace: identities.workspace, id: identities.externalId })
        .from(mine)
        .innerJoin(identities, eq(identities.personId, mine.personId))
        .where(
          and(
            eq(mine.orgId, orgId),
            eq(mine.provider, account.provider),
            eq(mine.workspace, account.workspace),
            eq(mine.externalId, account.id),
            eq(identities.orgId, orgId),
            eq(identities.provider, on.provider),
            eq(identities.workspace, on.workspace),
          ),
        )
        .orderBy(asc(identities.verifiedAt))
        .limit(1);
      return found ?? null;
    },
    async link(tx, account, personId) {
      const at = asDb(tx);
      const { provider, workspace, id } = account;
      const name = account.name === null ? null : storable(account.name);
      // One at a time for a person: two codes at once would give them two accounts.
      await at.select({ id: people.id }).from(people).where(eq(people.id, personId)).for("update");
      const there = and(
        eq(identities.orgId, orgId),
        eq(identities.provider, provider),
        eq(identities.workspace, workspace),
      );
      const [other] = await at
        .select({ id: identities.externalId })
        .from(identities)
        .where(and(there, eq(identities.personId, personId), ne(identities.externalId, id)));
      if (other) return "another";
      const added = await at
        .insert(identities)
        .values({ orgId, provider, workspace, externalId: id, personId, name })
        .onConflictDoNothing()
        .returning({ personId: identities.personId });
      if (added.length > 0) return "linked";
      const itself = and(there, eq(identities.externalId, id));
      const [owner] = await at.select({ personId: identities.personId }).from(identities).where(itself).for("update");
      // It was taken back while we waited for whoever has it: the next code finds it free.
      if (!owner) return "theirs";
      if (owner.personId !== personId && !(await knownByOne(at, orgId, owner.personId))) return "theirs";
      await at.update(identities).set({ personId, name }).where(itself);
      if (owner.personId !== personId) await inheritAuthor(at, owner.personId, personId);
      return "linked";
    },
    async unlink(tx, personId, provider) {
      return asDb(tx)
        .delete(identities)
        .where(and(eq(identities.orgId, orgId), eq(identities.personId, personId), eq(identities.provider, provider)))
        .returning({ provider: identities.provider, workspace: identities.workspace, id: identities.externalId });
    },
    async addAuthor(tx, runId, personId) {
      const added = await asDb(tx).execute(sql`
        insert into run_authors (org_id, run_id, person_id) values (${orgId}, ${runId}, ${personId})
        on conflict do nothing returning run_id`);
      return rows(added).length > 0;
    },
    async authors(tx, runId) {
      return asDb(tx)
        .select({ id: people.id, name: people.name })
        .from(runAuthors)
        .innerJoin(people, eq(people.id, runAuthors.personId))
        .where(eq(runAuthors.runId, runId))
        .orderBy(asc(runAuthors.addedAt), asc(people.id));
    },
  };
}

/** Nothing but one account is known of this person: no chat account, no run that they asked for, no vote. */
async function knownByOne(at: Db, orgId: string, personId: string): Promise<boolean> {
  await at.select({ id: people.id }).from(people).where(eq(people.id, personId)).for("update");
  const [found] = rows<{ alone: boolean }>(
    await at.execute(sql`
      select (select count(*) from identities where org_id = ${orgId} and person_id = ${personId}) = 1
        and not exists (select from runs where requester_id = ${personId})
        and not exists (select from approval_votes where person_id = ${personId}) as alone`),
  );
  return found?.alone === true;
}

/** What one person wrote is another's from now on: they are the same. */
async function inheritAuthor(at: Db, from: string, to: string): Promise<void> {
  await at.execute(sql`
    insert into run_authors (org_id, run_id, person_id, added_at)
    select org_id, run_id, ${to}::uuid, added_at from run_authors where person_id = ${from}
    on conflict do nothing`);
  await at.delete(runAuthors).where(eq(runAuthors.personId, from));
  await at.execute(sql`update run_turns set person_id = ${to} where person_id = ${from}`);
}
