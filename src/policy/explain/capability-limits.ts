import { type Capability, duration, listed } from "#policy/capability.ts";
import { LIMIT_POINTS, type LimitName, type SandboxLimit } from "#policy/limit.ts";
import type { Team } from "#policy/policy.ts";

type Limited = Pick<Team, "name" | "at" | "limits" | "shares" | "limitRefs">;

/** What somebody (`name`) is held to in numbers. */
export function ofLimits({ name: who, at, limits, shares, limitRefs }: Limited): Capability[] {
  const said: [string, LimitName, string | null][] = [
    ["costUsd", "cost_usd", `may spend $${limits.costUsd} in a run`],
    ["tokens", "tokens", `may use ${limits.tokens.toLocaleString("en")} tokens in a run`],
    ["runtimeMs", "runtime", `may work for ${duration(limits.runtimeMs)} in a run`],
    ["uploadBytes", "upload", `may send out ${limits.uploadBytes.toLocaleString("en")} bytes in a run`],
    [
      "concurrentRuns",
      "concurrent_runs",
      `may have ${limits.concurrentRuns} runs at a time, beside those that an answer brings back`,
    ],
    [
      "perRepo",
      "per_repo.concurrent_runs",
      amount(
        shares.perRepo.concurrentRuns,
        (n) => `may have ${n} runs at a time in one repository, beside those that an answer brings back`,
      ),
    ],
    [
      "perPerson",
      "per_person.concurrent_runs",
      amount(
        shares.perPerson.concurrentRuns,
        (n) => `may have ${n} runs at a time for one person, beside those that an answer brings back`,
      ),
    ],
    ["perMonth.costUsd", "per_month.cost_usd", amount(shares.perMonth.costUsd, (n) => `may spend $${n} in a month`)],
    [
      "perMonth.tokens",
      "per_month.tokens",
      amount(shares.perMonth.tokens, (n) => `may use ${n.toLocaleString("en")} tokens in a month`),
    ],
    [
      "perPersonMonth.costUsd",
      "per_person_month.cost_usd",
      amount(shares.perPersonMonth.costUsd, (n) => `may spend $${n} in a month for one person`),
    ],
    [
      "perPersonMonth.tokens",
      "per_person_month.tokens",
      amount(shares.perPersonMonth.tokens, (n) => `may use ${n.toLocaleString("en")} tokens in a month for one person`),
    ],
  ];
  return said.flatMap(([key, name, text]) =>
    text === null
      ? []
      : [
          {
            key: `${who} limits ${key}`,
            text: `${who} ${text}`,
            at: limitRefs?.[name]?.at ?? at,
            points: LIMIT_POINTS[name],
          },
        ],
  );
}

function amount(value: number | null, say: (value: number) => string): string | null {
  return value === null ? null : say(value);
}

type Walled = Pick<Team, "name" | "at" | "sandbox" | "limitRefs">;

/** What the sandboxes of somebody (`name`) are, each part with the line that says it. */
export function ofSandbox({ name: who, at, sandbox, limitRefs }: Walled): Capability[] {
  const { isolation, providers, images, cpu, memoryBytes, diskBytes } = sandbox;
  const said: [SandboxLimit, string | null][] = [
    ["sandbox.isolation", isolation === "none" ? null : `of isolation ${isolation} or better`],
    ["sandbox.provider", providers.length === 0 ? null : `at ${listed(providers)}`],
    ["sandbox.image", images.length === 0 ? null : `with the image ${listed(images)}`],
    ["sandbox.cpu", amount(cpu, (n) => `of at most ${n} processors`)],
    ["sandbox.memory", amount(memoryBytes, (n) => `of at most ${n.toLocaleString("en")} bytes of memory`)],
    ["sandbox.disk", amount(diskBytes, (n) => `of at most ${n.toLocaleString("en")} bytes of disk`)],
  ];
  return said.flatMap(([name, text]) =>
    text === null
      ? []
      : [
          {
            key: `${who} ${name}`,
            text: `${who} runs in a sandbox ${text}`,
            at: limitRefs?.[name]?.at ?? at,
            points: LIMIT_POINTS[name],
          },
        ],
  );
}
