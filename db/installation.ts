import { eq } from "./drizzle.ts";
import { installations } from "./schema/orgs.ts";
import { type Db, outside } from "./store.ts";

/** The database is another installation's. The message says what to do. */
export class OtherInstallation extends Error {
  override readonly name = "OtherInstallation";
}

/**
 * Binds the organisation to the installation whose receipts are signed by `keyId`, at its first start; from then on
 * throws `OtherInstallation` for any other. Two data folders over one database have two token keys, two sandbox folders
 * and two gateways: each would take the other's sandboxes for lost, and its receipts would not be by one key.
 */
export async function bindInstallation(db: Db, orgId: string, keyId: string): Promise<void> {
  const free = outside(db);
  await free.insert(installations).values({ orgId, keyId }).onConflictDoNothing();
  const [bound] = await free
    .select({ keyId: installations.keyId })
    .from(installations)
    .where(eq(installations.orgId, orgId));
  if (bound?.keyId === keyId) return;
  throw new OtherInstallation(
    `this database belongs to the installation with the key ${bound?.keyId}, and the data folder has the key ${keyId}: ` +
      "start with COUNTERSIGN_DATA=<the data folder of that installation>, or give this one another DATABASE_URL",
  );
}
