import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";
import { systemClock } from "#ports/clock.ts";
import { type TakenBack, takeBack, takenBack, Unlinked } from "#runs/account/unlink.ts";
import type { Core } from "#runs/core.ts";
import type { Config } from "./config.ts";
import { askService, isToken, overDatabase } from "./service.ts";

const PATH = "/operator/unlink";
const ASKED_MOST_BYTES = 4_096;
const LISTED = 50;

/** An account that the operator takes from whoever has linked it. */
const Order = z.strictObject({
  provider: z.enum(LINK_PLACES),
  called: z.string().min(1).max(300),
  operator: z.string().min(1).max(200),
});

const Account = z.strictObject({
  provider: z.string(),
  workspace: z.string(),
  id: z.string(),
  name: z.string().nullable(),
});
const Came = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("unlinked"), account: Unlinked }),
  z.strictObject({ kind: z.literal("nobody") }),
  z.strictObject({ kind: z.literal("several"), accounts: z.array(Account) }),
]);
const Taken = z.array(Unlinked.extend({ at: z.iso.datetime().transform((at) => new Date(at)) }));
type Taken = z.infer<typeof Taken>;

type Links = Pick<Core, "store" | "stores" | "clock" | "nudge">;

/** For the command line, while the embedded database serves us alone: who has the start token is the operator. */
export function unlinkRoutes(o: { readonly token: string; readonly core: Links }): Hono {
  return new Hono()
    .use(PATH, async (c, next) =>
      isToken(c.req.header("authorization"), o.token) ? next() : c.json({ error: "start token" }, 401),
    )
    .get(PATH, async (c) => c.json(await takenBack(o.core, LISTED)))
    .post(PATH, bodyLimit({ maxSize: ASKED_MOST_BYTES }), async (c) => {
      const order = Order.safeParse(await c.req.json().catch(() => null));
      if (!order.success) return c.json({ error: "name a provider, an account and who says so" }, 400);
      return c.json(await takeBack(o.core, order.data));
    });
}

/** How the operator's word gets there: on the database, or by the service that has it open. */
export function operatorLinks(config: Config): {
  readonly unlink: (order: {
    readonly provider: LinkPlace;
    readonly called: string;
    readonly operator: string;
  }) => Promise<TakenBack>;
  readonly taken: () => Promise<Taken>;
} {
  const over = <T>(here: (links: Links) => Promise<T>, ask: () => Promise<T>): Promise<T | null> =>
    overDatabase(
      config,
      async (database, orgId) => {
        const [{ store }, { stores }] = await Promise.all([import("#db/store.ts"), import("#db/stores.ts")]);
        // Whoever shows messages looks for what is due by itself.
        const nudge = () => undefined;
        return here({ store: store(database.db), stores: stores(database, { orgId }), clock: systemClock, nudge });
      },
      ask,
    );
  return {
    unlink: async (order) =>
      (await over(
        (links) => takeBack(links, order),
        () => askService(config, PATH, (json): TakenBack => Came.parse(json), order),
      )) ?? { kind: "nobody" },
    taken: async () =>
      (await over<Taken>(
        async (links) => [...(await takenBack(links, LISTED))],
        () => askService(config, PATH, (json) => Taken.parse(json)),
      )) ?? [],
  };
}
