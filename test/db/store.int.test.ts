import { memoryDatabase } from "#db/memory.ts";
import { openDatabase } from "#db/open.ts";
import { accountsContract } from "#test/contracts/accounts.ts";
import { sessionsContract } from "#test/contracts/sessions.ts";
import { sharesContract } from "#test/contracts/shares.ts";
import { storeContract } from "#test/contracts/store.ts";
import { messagesContract } from "#test/contracts/store-messages.ts";
import { workContract } from "#test/contracts/store-work.ts";
import { freshDatabase } from "#test/postgres.ts";
import type { Pair } from "./house.ts";

async function pglite(): Promise<Pair> {
  const database = await memoryDatabase();
  return { first: database, second: database, close: () => database.close() };
}

async function postgres(): Promise<Pair> {
  const { url, drop } = await freshDatabase();
  const [first, second] = await Promise.all([openDatabase(url), openDatabase(url)]);
  return {
    first,
    second,
    async close() {
      await first.close();
      await second.close();
      await drop();
    },
  };
}

storeContract("PGlite", pglite);
storeContract("Postgres", postgres);
workContract("PGlite, work", pglite);
workContract("Postgres, work", postgres);
messagesContract("PGlite, messages", pglite);
messagesContract("Postgres, messages", postgres);
sharesContract("PGlite, shares", pglite);
sharesContract("Postgres, shares", postgres);
sessionsContract("PGlite, sessions", pglite);
sessionsContract("Postgres, sessions", postgres);
accountsContract("PGlite, accounts", pglite);
accountsContract("Postgres, accounts", postgres);
