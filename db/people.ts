import { newId } from "#runs/ids.ts";
import { LINK_PROOFS, type LinkProof } from "#runs/linkable.ts";
import type { Person } from "#runs/run.ts";
import type { PeopleStore } from "#runs/stores.ts";
import { alias, and, asc, eq, ne, sql } from "./drizzle.ts";
import { storable } from "./fence.ts";
import { identities, people } from "./schema/orgs.ts";
import { runAuthors } from "./schema/runs.ts";
import { asDb, type Db, reading, rows } from "./store.ts";

const CALLED_MOST = 20;

const EXTERNAL = { provider: identities.provider, workspace: identities.workspace, id: identities.externalId };
const ACCOUNT = { ...EXTERNAL, name: identities.name };

export function peopleStore(db: Db, orgId: string): PeopleStore {
  const inPlace = (place: { readonly provider: string; readonly workspace: string }) =>
    and(
      eq(identities.orgId, orgId),
      eq(identities.provider, place.provider),
      eq(identities.workspace, place.workspace),
    );
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
        .select(EXTERNAL)
        .from(identities)
        .where(and(eq(identities.orgId, orgId), eq(identities.personId, personId)))
        .orderBy(asc(identities.verifiedAt), asc(identities.provider));
    },
    async accounts(tx, personId) {
      return asDb(tx)
        .select(ACCOUNT)
        .from(identities)
        .where(and(eq(identities.orgId, orgId), eq(identities.personId, personId)))
        .orderBy(asc(identities.verifiedAt), asc(identities.provider));
    },
    async accountOn(account, on) {
      const mine = alias(identities, "mine");
      const [found] = await reading(db)
        .select(EXTERNAL)
        .from(mine)
        .innerJoin(identities, eq(identities.personId, mine.personId))
        .where(
          and(
            eq(mine.orgId, orgId),
            eq(mine.provider, account.provider),
            eq(mine.workspace, account.workspace),
            eq(mine.externalId, account.id),
            inPlace(on),
          ),
        )
        .orderBy(asc(identities.verifiedAt))
        .limit(1);
      return found ?? null;
    },
    async link(tx, account, personId, proof) {
      const at = asDb(tx);
      const { provider, workspace, id } = account;
      const name = account.name === null ? null : storable(account.name);
      // One at a time for a person: two codes at once would give them two accounts.
      await at.select({ id: people.id }).from(people).where(eq(people.id, personId)).for("update");
      const there = inPlace(account);
      const [other] = await at
        .select({ id: identities.externalId })
        .from(identities)
        .where(and(there, eq(identities.personId, personId), ne(identities.externalId, id)));
      if (other) return { how: "another" };
      // Changes nothing that is there, but waits for whoever does, and holds it: it is somebody's from here on.
      const [held] = await at
        .insert(identities)
        .values({ orgId, provider, workspace, externalId: id, personId, name, proof })
        .onConflictDoUpdate({
          target: [identities.orgId, identities.provider, identities.workspace, identities.externalId],
          set: { personId: sql`${identities.personId}` },
        })
        .returning({ personId: identities.personId, proof: identities.proof });
      if (!held) throw new Error(`The identity ${provider}/${id} is neither new nor there.`);
      const itself = and(there, eq(identities.externalId, id));
      if (held.personId === personId) {
        const strongest = held.proof === "sign_in" ? held.proof : proof;
        await at.update(identities).set({ name, proof: strongest }).where(itself);
        return { how: "linked", from: null };
      }
      const [holder] = await at
        .select({ id: people.id, name: people.name })
        .from(people)
        .where(eq(people.id, held.personId));
      if (!holder) throw new Error(`The identity ${provider}/${id} belongs to nobody.`);
      if (!isWeaker(held.proof, proof)) return { how: "theirs", holder };
      await at.update(identities).set({ personId, name, proof, verifiedAt: sql`now()` }).where(itself);
      return { how: "linked", from: holder };
    },
    async called(tx, provider, called) {
      return asDb(tx)
        .select({
          ...ACCOUNT,
          person: { id: people.id, name: people.name },
        })
        .from(identities)
        .innerJoin(people, eq(people.id, identities.personId))
        .where(
          and(
            eq(identities.orgId, orgId),
            eq(identities.provider, provider),
            sql`(${identities.externalId} = ${called} or lower(${identities.name}) = lower(${called})
              or ${identities.workspace} || '/' || ${identities.externalId} = ${called})`,
          ),
        )
        .orderBy(asc(identities.workspace), asc(identities.externalId))
        .limit(CALLED_MOST)
        .for("update", { of: identities });
    },
    async release(tx, account) {
      await asDb(tx)
        .delete(identities)
        .where(and(inPlace(account), eq(identities.externalId, account.id)));
    },
    async unlink(tx, personId, provider) {
      return asDb(tx)
        .delete(identities)
        .where(and(eq(identities.orgId, orgId), eq(identities.personId, personId), eq(identities.provider, provider)))
        .returning(EXTERNAL);
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

/** What was linked before proofs were written down is as good as any: nobody knows better. */
const isWeaker = (held: LinkProof | null, given: LinkProof): boolean =>
  held !== null && LINK_PROOFS.indexOf(held) < LINK_PROOFS.indexOf(given);
