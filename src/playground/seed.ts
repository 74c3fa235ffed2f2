import type { Seed, SeedChannel } from "./slack/world.ts";

/** The first run's workspace, as data. Policies and routing name the ids, so these are an interface. */

const PEOPLE = ["U0ANA", "U0BO", "U0CY"] as const;
const BOT = "U0AGENT";

const SEED: Seed = {
  team: { id: "T0LOCAL", name: "Acme (local)", domain: "acme-local" },
  app: { id: "A0AGENT", botId: "B0AGENT", botUser: BOT, commands: ["/agent"] },
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
      id: "C0SHOP",
      name: "shop",
      topic: "The shop and its checkout. Ask @agent for a change.",
      members: [...PEOPLE, BOT],
      examples: [
        {
          label: "Change the README",
          note: "Bo has to approve it.",
          text: '@agent replace "No dependencies." with "No dependencies, by choice." in README.md, then run `npm test`',
        },
        {
          label: "Reach a blocked host",
          note: "Bo has to approve it. The host is refused.",
          text: '@agent fetch https://rates.example.org/today, then append "Rates change daily." to README.md',
        },
        {
          label: "Break a test",
          note: "Bo has to approve it. The tests object.",
          text: '@agent replace "FREE_SHIPPING_CENTS = 5000" with "FREE_SHIPPING_CENTS = 4000" in src/shipping.js',
        },
      ],
    },
    {
      id: "C0SITE",
      name: "website",
      topic: "The public website. Ask @agent for a change.",
      members: [...PEOPLE, "U0DEE", BOT],
      examples: [
        {
          label: "Fix a typo",
          note: "It starts at once.",
          text: '@agent replace "Wendesday" with "Wednesday" in content/opening-hours.md',
        },
        {
          label: "Change a component",
          note: "Bo has to approve the result.",
          text: '@agent replace "Lisbon" with "Lisboa" in src/components/footer.js',
        },
        {
          label: "Touch a script",
          note: "Policy refuses it.",
          text: '@agent append "// tidy" to scripts/check-links.js',
        },
      ],
    },
    {
      id: "C0DATA",
      name: "data",
      topic: "Reports and pipelines. Ask @agent for a change.",
      members: [...PEOPLE, BOT],
      examples: [
        {
          label: "Change a query",
          note: "It starts at once.",
          text: '@agent replace "limit 20" with "limit 50" in sql/top-articles.sql',
        },
        {
          label: "Write documentation",
          note: "It starts at once.",
          text: '@agent create docs/reading.md with "How to read the weekly numbers"',
        },
        { label: "Delete a folder", note: "Bo has to approve the command.", text: "@agent run `rm -rf sql`" },
      ],
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

/** A channel for repositories of one's own; everybody but the guest is in it. `id` must look like "C0SHOP". */
export function repositoryChannel(o: { id: string; name: string; topic: string }): SeedChannel {
  return {
    ...o,
    members: [...PEOPLE, BOT],
    examples: [
      {
        label: "Add a line",
        note: "To the end of the README.",
        text: '@agent append "A line from the playground." to README.md',
      },
      {
        label: "Write a file",
        note: "A new one, in its own folder.",
        text: '@agent create notes/first.md with "My first note"',
      },
    ],
  };
}
