import type { Seed, SeedChannel } from "./slack/world.ts";

/** The first run's workspace, as data. Policies and routing name the ids, so these are an interface. */

const PEOPLE = ["U0ANA", "U0BO", "U0CY"] as const;
const BOT = "U0AGENT";

const SEED: Seed = {
  team: { id: "T0LOCAL", name: "Acme (local)", domain: "acme-local" },
  app: { id: "A0AGENT", botId: "B0AGENT", botUser: BOT },
  users: [
    {
      id: "U0ANA",
      name: "ana",
      realName: "Ana",
      isBot: false,
      isGuest: false,
      role: "requester",
      can: "Ana asks for work. She may not approve what she asked for.",
    },
    {
      id: "U0BO",
      name: "bo",
      realName: "Bo",
      isBot: false,
      isGuest: false,
      role: "approver",
      can: "Bo leads the teams. He approves what others ask for, and may merge.",
    },
    {
      id: "U0CY",
      name: "cy",
      realName: "Cy",
      isBot: false,
      isGuest: false,
      role: "bystander",
      can: "Cy is on the teams and reads along. He may ask, and approves nothing.",
    },
    {
      id: "U0DEE",
      name: "dee",
      realName: "Dee",
      isBot: false,
      isGuest: true,
      role: "guest",
      can: "Dee is a guest in #website. Policy refuses requests from guests.",
    },
    { id: BOT, name: "agent", realName: "agent", isBot: true, isGuest: false, role: "app", can: "" },
  ],
  channels: [
    {
      id: "C0SITE",
      name: "website",
      topic: "The public website. Ask @agent for a change.",
      members: [...PEOPLE, "U0DEE", BOT],
      examples: [],
    },
    {
      id: "C0SHOP",
      name: "shop",
      topic: "The shop and its checkout. Ask @agent for a change.",
      members: [...PEOPLE, BOT],
      examples: [],
    },
    {
      id: "C0DATA",
      name: "data",
      topic: "Reports and pipelines. Ask @agent for a change.",
      members: [...PEOPLE, BOT],
      examples: [],
    },
  ],
  groups: [
    { id: "S0SITE", handle: "website-team", name: "Website team", users: PEOPLE },
    { id: "S0SHOP", handle: "shop-team", name: "Shop team", users: PEOPLE },
    { id: "S0DATA", handle: "data-team", name: "Data team", users: PEOPLE },
    { id: "S0LEADS", handle: "leads", name: "Leads", users: ["U0BO"] },
    { id: "S0SEC", handle: "security", name: "Security", users: ["U0BO"] },
  ],
};

/** The workspace, and channels of its own for repositories given on the command line. */
export function playgroundSeed(extra: readonly SeedChannel[] = []): Seed {
  return { ...SEED, channels: [...SEED.channels, ...extra] };
}

/** A channel for one repository; everybody but the guest is in it. `id` must look like "C0SHOP". */
export function repositoryChannel(o: { id: string; name: string; topic: string }): SeedChannel {
  return { ...o, members: [...PEOPLE, BOT], examples: [] };
}
