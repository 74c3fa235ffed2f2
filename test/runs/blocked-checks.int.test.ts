import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const LINT = "  - { name: query lint, in: acme/reports, command: sh scripts/lint.sh, timeout: 1m }\n";

/** Whatever runs in the newest sandbox of this slot asks for a host and is refused it. */
function refuse(slot: "agent" | "check", host: string, rule: string | null = null): void {
  const grant = [...house.gateway.grants.values()].findLast(({ sandbox }) => sandbox.includes(`:${slot}:`));
  house.gateway.happen({
    ...{ id: randomUUID(), at: new Date().toISOString(), run: grant?.run ?? null, sandbox: grant?.sandbox ?? null },
    ...{ kind: "egress", via: "connect", host, port: 443, method: null, outcome: "deny" },
    ...{ reason: rule === null ? "no_rule" : "rule", rule },
  });
}

const SETUP: [string, string] = ["checks:\n", "setup: [{ in: acme/reports, command: sh setup.sh }]\nchecks:\n"];

/** What the agent is asked, turn by turn. */
let prompts: string[];

async function checked(checks: (on: "base" | "head", command: string) => number, edit: [string, string][] = []) {
  prompts = [];
  house = await memoryHouse({
    play: (prompt) => {
      prompts.push(prompt);
      return [{ write: "sql/new.sql", content: `select ${prompts.length};` }, { say: "Done." }];
    },
    checks: (on, _, command) => checks(on, command),
  });
  for (const [from, to] of edit) house.policy.edit(DATA, from, to);
  await house.say(ANA, "add a query", { channel: "C0DATA" });
}

const handoff = async () => (await factsOf(house.core, (await house.until("handed_off")).id)).handoff;

test("a check that fails while a host is refused is the environment's, and the handoff names host and rule", async () => {
  await checked((on) => {
    if (on === "base") return 0;
    // What the gateway has decided comes into the record only once somebody asks how far it is.
    const { audited } = house.gateway;
    house.world.reader = new Promise((resolve) => {
      house.gateway.audited = () => {
        resolve();
        return audited();
      };
    });
    refuse("check", "cdn.example.net", "org.yaml:20:5");
    refuse("check", "db.example.net");
    return 1;
  });
  expect(await handoff()).toMatchObject({
    fault: "environment",
    failed:
      'The check "query lint" passes without the change and fails with it, and cdn.example.net:443 (rule org.yaml:20:5) and db.example.net:443 (no rule) were refused while it ran.',
    next: expect.stringContaining("Ask the policy's owners"),
  });
  expect(prompts).toHaveLength(1);
});

test("a host that the check passes without on base is no reason: the agent is told what fails", async () => {
  await checked((on) => {
    refuse("check", "telemetry.example.net");
    return on === "head" && prompts.length === 1 ? 1 : 0;
  });
  await house.until("in_review");
  expect(prompts).toHaveLength(2);
});

test("what another check was refused, and what the setup was, is laid to neither of them", async () => {
  const another = "  - { name: another, in: acme/reports, command: sh another.sh }\n";
  await checked(
    (on, command) => {
      if (command === "sh scripts/lint.sh") return on === "head" && prompts.length === 1 ? 1 : 0;
      if (on === "head") refuse("check", command === "sh another.sh" ? "a.example.net" : "b.example.net");
      return 0;
    },
    [[LINT, another + LINT], SETUP],
  );
  await house.until("in_review");
  expect(prompts).toHaveLength(2);
});

test("what else is red is said beside it", async () => {
  await checked(
    (on, command) => {
      if (on === "head" && command === "sh another.sh") refuse("check", "a.example.net");
      return on === "base" ? 0 : 1;
    },
    [[LINT, `${LINT}  - { name: another, in: acme/reports, command: sh another.sh }\n`]],
  );
  expect(await handoff()).toMatchObject({
    fault: "environment",
    failed:
      'The check "another" passes without the change and fails with it, and a.example.net:443 (no rule) was refused while it ran. The check "query lint" passes without the change and fails with it.',
  });
});

test("a setup that a refused host breaks on the changed commit alone is no matter for the agent either", async () => {
  await checked(
    (on, command) => {
      if (on === "base" || command !== "sh setup.sh") return 0;
      refuse("check", "packages.example.net");
      return 1;
    },
    [SETUP],
  );
  expect(await handoff()).toMatchObject({
    fault: "environment",
    failed: 'The check "query lint" could not be run, and packages.example.net:443 (no rule) was refused while it ran.',
  });
  expect(prompts).toHaveLength(1);
});

test("a setup that fails before the agent begins says which host it was refused", async () => {
  await checked(() => {
    refuse("agent", "packages.example.net");
    return 1;
  }, [SETUP]);
  expect(await handoff()).toMatchObject({
    fault: "environment",
    failed: "It failed on the unchanged repository, and packages.example.net:443 (no rule) was refused before it did.",
  });
});
