import { newId } from "#runs/ids.ts";
import { eq } from "./drizzle.ts";
import { orgs } from "./schema/orgs.ts";
import { type Db, outside } from "./store.ts";

/** The organisation of this name, made on first sight. Returns its id. */
export async function ensureOrg(db: Db, name: string): Promise<string> {
  const free = outside(db);
  await free
    .insert(orgs)
    .values({ id: newId(new Date()), name })
    .onConflictDoNothing();
  const [row] = await free.select({ id: orgs.id }).from(orgs).where(eq(orgs.name, name));
  if (!row) throw new Error(`The organisation ${name} was not stored.`);
  return row.id;
}
