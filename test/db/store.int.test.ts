import { accountsContract } from "#test/contracts/accounts.ts";
import { sessionsContract } from "#test/contracts/sessions.ts";
import { sharesContract } from "#test/contracts/shares.ts";
import { storeContract } from "#test/contracts/store.ts";
import { messagesContract } from "#test/contracts/store-messages.ts";
import { workContract } from "#test/contracts/store-work.ts";
import { workspacesContract } from "#test/contracts/workspaces.ts";
import { DATABASES, type Ground } from "./databases.ts";
import type { Pair } from "./house.ts";

const pairOf = (ground: () => Promise<Ground>) => async (): Promise<Pair> => {
  const { open, close } = await ground();
  const [first, second] = await Promise.all([open(), open()]);
  return { first, second, close };
};

for (const [name, ground] of Object.entries(DATABASES)) {
  storeContract(name, pairOf(ground));
  workContract(`${name}, work`, pairOf(ground));
  messagesContract(`${name}, messages`, pairOf(ground));
  sharesContract(`${name}, shares`, pairOf(ground));
  sessionsContract(`${name}, sessions`, pairOf(ground));
  workspacesContract(`${name}, workspaces`, pairOf(ground));
  accountsContract(`${name}, accounts`, pairOf(ground));
}
