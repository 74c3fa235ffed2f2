import { describe, expect, test } from "vitest";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { loadPolicy } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { Backing, PolicyForge } from "#ports/policy-forge.ts";
import { agreed } from "#runs/decision/agreement.ts";
import { loaded } from "#test/policy/sample.ts";

const policy = (owners: string): Policy =>
  loaded(
    loadPolicy(
      new Map([
        [
          "org.yaml",
          `version: 1
kind: org
${owners}groups: {security: {slack_usergroup: S0SEC}}
routing: {}
ceiling: {repos: [], egress: [], limits: {cost_usd: 1, runtime: 1h, tokens: 1M, upload: 1MB, concurrent_runs: 1}, models: []}
`,
        ],
      ]),
      { commit: "c" },
    ),
  );
const TWO = policy("owners: {from: group:security, quorum: 2}\n");
const person = (id: string): ExternalId => ({ provider: "slack", workspace: "T1", id });
const forge = (backing: Backing | null): PolicyForge => ({ backing: async () => backing });
const by = (...ids: string[]): Backing => ({ protected: true, approvedBy: ids.map(person) });

function ask(of: PolicyForge | null, inForce: Policy = TWO) {
  const directory = memoryDirectory();
  directory.group({ slack_usergroup: "S0SEC" }, ["U0BO", "U0EVE"]);
  const at = { forge: of, branch: "main", workspace: "T1" };
  return { directory, answer: () => agreed({ directory }, at, "c1", inForce) };
}

describe("a commit of the policy's branch", () => {
  test("counts when enough owners of the policy in force approved it", async () => {
    expect(await ask(forge(by("U0BO", "U0EVE"))).answer()).toBeNull();
  });

  test("counts with an author whom the forge cannot name when one more than enough approved it", async () => {
    const unnamed: Backing = { ...by("U0BO", "U0EVE"), unnamedAuthors: 1 };
    const one = policy("owners: {from: group:security, quorum: 1}\n");
    expect(await ask(forge(unnamed), one).answer()).toBeNull();
    expect(await ask(forge(unnamed)).answer()).toBe("2 of 3 needed from group:security approved it");
  });

  test("that does not count is told with what else the forge says of it", async () => {
    const said = await ask(forge({ ...by("U0BO"), remarks: ["eve approved an older commit of #1"] })).answer();
    expect(said).toBe("1 of 2 needed from group:security approved it; eve approved an older commit of #1");
  });

  test.each<[string, PolicyForge | null, Policy, RegExp]>([
    ["by too few of them", forge(by("U0BO")), TWO, /^1 of 2 needed from group:security approved it$/],
    ["by others", forge(by("U0ANA", "U0CY")), TWO, /^0 of 2 needed/],
    [
      "on another workspace",
      forge({ protected: true, approvedBy: [{ ...person("U0BO"), workspace: "T2" }] }),
      TWO,
      /^0 of 2/,
    ],
    ["that nobody merged by a pull request", forge(null), TWO, /^it is not the merge of a pull request into main$/],
    [
      "on a branch that anyone may push to",
      forge({ ...by("U0BO", "U0EVE"), protected: false }),
      TWO,
      /is not protected/,
    ],
    ["under a policy without owners", forge(by("U0BO", "U0EVE")), policy(""), /names no owners/],
    ["of a forge that we cannot ask", null, TWO, /cannot be asked .* name that folder in COUNTERSIGN_POLICIES$/],
  ])("does not count %s, and a sentence says why", async (_what, of, inForce, said) => {
    expect(await ask(of, inForce).answer()).toMatch(said);
  });

  test("is put off while the forge or the group cannot be read", async () => {
    const away = ask(forge(by("U0BO", "U0EVE")));
    away.directory.fail("Slack is away");
    await expect(away.answer()).rejects.toThrow("Slack is away");
    const silent = ask({ backing: () => Promise.reject(new Error("no answer")) });
    await expect(silent.answer()).rejects.toThrow("no answer");
  });
});
