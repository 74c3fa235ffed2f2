import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const OTHER = "c".repeat(40);

/** A run is approved, and before it comes to publishing `meanwhile` happens on the forge. */
async function approved(meanwhile: (run: Run) => Promise<void>): Promise<Run> {
  house = await memoryHouse();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  await meanwhile(run);
  await house.answer(BO, (await house.question(run)).id);
  return run;
}

test("a branch of that name that is somebody else's stays as it is, and the run says so", async () => {
  const { branch } = await approved(async (run) => {
    await house.repoHost.push({ repo: run.repo, branch: run.branch, oid: OTHER, expected: null, gitDir: "/other.git" });
  });
  const run = await house.until("handed_off");
  expect(house.repoHost.branch(run.repo, branch)).toBe(OTHER);
  expect(await house.repoHost.findPullRequest(run.repo, branch)).toBeNull();
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({ fault: "environment", branch: null });
  expect((await factsOf(house.core, run.id)).handoff?.failed).toContain(branch);
});

test("a merged pull request of another run, whose branch of that name was deleted, is not taken for ours", async () => {
  const { branch } = await approved(async (run) => {
    // The forge's memory after somebody merged and deleted a branch: the pull request stays, the name is free.
    const { repo } = run;
    house.repoHost.findPullRequest = async () => ({
      repo,
      number: 7,
      url: "memory://acme/shop/pull/7",
      state: "merged",
      draft: false,
      branch: run.branch,
      base: "main",
      headOid: OTHER,
    });
  });
  const run = await house.until("handed_off");
  expect(house.repoHost.branch(run.repo, branch)).toBeNull();
  expect((await factsOf(house.core, run.id)).pullRequest).toBeNull();
});
