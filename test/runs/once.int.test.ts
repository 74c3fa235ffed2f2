import { createHmac } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { eventsOf } from "#runs/record/look.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

/** A run whose agent was told yes to `rm -rf build`, by a worker that dies before it has that in the record. */
async function toldAndForgotten(dying: () => Promise<void>) {
  house = await memoryHouse({
    play: () => [{ run: "rm -rf build", ask: true, output: "gone" }, { say: "Done." }],
  });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const asked = await house.question(run);
  const { cursors } = house.core.stores;
  const { advance } = cursors;
  Object.assign(cursors, {
    advance: async (...args: Parameters<typeof advance>) => {
      if (!args[1].startsWith("agent:")) return advance(...args);
      Object.assign(cursors, { advance });
      await dying();
      throw new Error("killed");
    },
  });
  await house.answer(BO, asked.id);
  return { run, asked };
}

test("a yes for once that was given by a worker that died is not given again in another sandbox", async () => {
  const { run, asked } = await toldAndForgotten(async () => {
    for (const { id } of await house.sandboxes.list({})) await house.sandboxes.destroy(id);
  });
  const again = await house.question(run);
  expect(again).toMatchObject({ digest: asked.digest, askNo: 2 });
  await house.answer(BO, again.id);
  await house.until("answered");
});

test("a yes for once that was given by a worker that died holds for the agent that was told", async () => {
  const { run, asked } = await toldAndForgotten(async () => {});
  await house.until("answered");
  const used = (await eventsOf(house.core, run.id)).filter(({ body }) => body.kind === "grant.used");
  expect(used.map(({ body }) => body)).toEqual([{ kind: "grant.used", approval: asked.id, digest: asked.digest }]);
  expect(await house.core.stores.approvals.ofRun(run.id)).toHaveLength(1);
});

/** A run that its worker leaves just before the receipt is kept, and what is done before another takes it up. */
async function leftBeforeItsReceipt(meanwhile: (link: (id: string | null) => Promise<void>) => Promise<void>) {
  house = await memoryHouse(
    {},
    {
      core: {
        linkable: [{ provider: "github", workspace: "github.com", by: "code" }],
        linkMac: (text) => createHmac("sha256", "installation").update(text).digest("base64url"),
      },
    },
  );
  const { people, receipts } = house.core.stores;
  const link = (id: string | null) =>
    house.core.store.tx(async (tx) => {
      const ana = await people.resolve(tx, house.core.orgId, ANA, "Ana");
      if (id === null) await people.unlink(tx, ana.id, "github");
      else await people.link(tx, { provider: "github", workspace: "github.com", id, name: "ana" }, ana.id, "code");
    });
  await link("583231");
  const { put, get } = receipts;
  Object.assign(receipts, {
    put: async () => {
      const again = async (id: string) => {
        Object.assign(receipts, { get });
        await meanwhile(link);
        return get(id);
      };
      Object.assign(receipts, { put, get: again });
      throw new Error("killed");
    },
  });
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const { id } = await house.until("in_review");
  return (await eventsOf(house.core, id)).flatMap(({ body }) => (body.kind === "authors.known" ? [body.authors] : []));
}

test("whose accounts the authors have is recorded once by two workers, of which one died before the receipt", async () => {
  const known = await leftBeforeItsReceipt(async () => {});
  expect(known).toMatchObject([[{ person: { name: "Ana" }, accounts: [{ id: "583231" }] }]]);
});

test("a receipt has the accounts of when it was signed, not of when a worker died before it", async () => {
  const known = await leftBeforeItsReceipt((link) => link(null));
  expect(known).toMatchObject([[{ person: { name: "Ana" } }], []]);
});
