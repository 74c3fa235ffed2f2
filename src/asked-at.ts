import { setTimeout as pause } from "node:timers/promises";
import type { WebClient } from "@slack/web-api";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";
import { type ChannelFacts, channelFacts, type Hold } from "#surfaces/slack/channel-facts.ts";
import { permalink } from "#surfaces/slack/permalink.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";
import type { Tenant } from "./tenants.ts";

/** A name lets nobody in, and a page that is open asks for it with each change of its run. */
const NAMED: Hold = { knownMs: 10 * 60_000, unknownMs: 60_000 };
/** So long a page waits for Slack. */
const PATIENCE_MS = 1_000;

/** Where runs were asked for, as their pages say it: what people call the place, where that is known in time, and the way there. */
export function askedAt(o: {
  readonly of: (workspace: string) => Promise<Pick<Tenant, "identity" | "reads"> | null>;
  readonly now: () => Date;
  readonly log: Core["log"];
  readonly patienceMs?: number;
}): (run: Pick<Run, "place" | "ticket">) => Promise<RunPage["place"]> {
  const asking = new WeakMap<WebClient, ReturnType<typeof channelFacts>>();
  function factsBy(reads: WebClient): ReturnType<typeof channelFacts> {
    const known = asking.get(reads) ?? channelFacts(reads, o.now, o.log, NAMED);
    asking.set(reads, known);
    return known;
  }
  return async ({ place, ticket }) => {
    if (ticket !== null) return { name: `Linear ${ticket.name}`, href: ticket.url };
    const there = place.provider === "slack" ? await o.of(place.workspace) : null;
    if (there === null) return { name: called(null), href: null };
    const late = pause(o.patienceMs ?? PATIENCE_MS, null, { ref: false });
    const facts = await Promise.race([factsBy(there.reads)(place.channel), late]);
    const { url } = there.identity;
    return { name: called(facts), href: url === null ? null : permalink(url, place.channel, place.thread) };
  };
}

function called(facts: ChannelFacts | null): string {
  if (facts?.direct) return "a direct message";
  return facts === null || facts.name === null ? "a thread" : `#${facts.name}`;
}
