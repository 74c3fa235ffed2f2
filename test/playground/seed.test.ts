import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { understand } from "#playground/model/request.ts";
import { SAMPLES } from "#playground/repos/seed.ts";
import { playgroundSeed, repositoryChannel } from "#playground/seed.ts";
import { asSlackText } from "#playground/slack/text.ts";
import { newWorld } from "#playground/slack/world.ts";

const yours = repositoryChannel({ id: "C0YOURS", name: "yours", topic: "Yours." });
const seed = playgroundSeed([yours]);
const org = parse(readFileSync(path.resolve(import.meta.dirname, "../../policies/org.yaml"), "utf8")) as {
  groups: Record<string, { slack_usergroup: string }>;
  routing: { slack: Record<string, string> };
};

test("the sample policy routes every channel of the workspace, and no other", () => {
  expect(Object.keys(org.routing.slack).sort()).toEqual(seed.channels.map((channel) => channel.id).sort());
});

test("every user group that the sample policy names is there", () => {
  const named = Object.values(org.groups).map((group) => group.slack_usergroup);
  expect(named.filter((id) => !seed.groups.some((group) => group.id === id))).toEqual([]);
});

const examples = seed.channels.flatMap((channel) =>
  channel.examples.map((example) => [channel.name, example.label, example] as const),
);

test.each(examples)(
  "in #%s, %s is a request that the scripted model understands as it arrives from Slack",
  (_, __, example) => {
    const heard = asSlackText(newWorld(seed), example.text).replace("<@U0AGENT>", "").trim();
    const { wishes, unknown } = understand(heard);
    expect([wishes.length > 0, unknown]).toEqual([true, []]);
  },
);

test("what an example replaces stands in its sample repository exactly once", () => {
  const files = new Map(
    SAMPLES.flatMap((sample) =>
      sample.commits.flatMap((commit) =>
        Object.entries(commit.files).map(([file, text]) => [`${sample.name}/${file}`, text] as const),
      ),
    ),
  );
  const repos: Record<string, string> = { shop: "acme/shop", website: "acme/site", data: "acme/reports" };
  for (const [channel, , { text }] of examples) {
    const [, find, file] = /replace "([^"]+)" with "[^"]+" in ([\w./-]*\w)/.exec(text) ?? [];
    if (find === undefined) continue;
    expect(files.get(`${repos[channel]}/${file}`)?.split(find).length, text).toBe(2);
  }
});
