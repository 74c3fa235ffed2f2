import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BASE, BO, CY, memoryHouse, person } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const FIN = person("U0FIN", "Fin");
const code = (view: View) => (view.kind === "refused" ? view.refusal.code : view.kind);

/** The data team's scripts and queries belong to whom CODEOWNERS at the base says. */
async function asked(codeowners: string | null, paths: readonly string[] = ["scripts/lint.sh"]): Promise<void> {
  house = await memoryHouse({
    changes: { files: paths.map((path) => ({ path, status: "modified" as const, additions: 1, deletions: 0 })) },
  });
  house.directory.put(FIN);
  house.directory.group({ github_team: "acme/data-leads" }, [BO.id]);
  house.directory.group({ github_user: "fin" }, [FIN.id]);
  house.policy.edit(
    "teams/data.yaml",
    "  - ask: { git.path: scripts/** }\n    in: acme/reports\n    from: group:leads\n",
    "  - ask: { git.path: [scripts/**, sql/**] }\n    in: acme/reports\n    from: codeowners\n",
  );
  if (codeowners !== null) house.gateway.holdFile("acme/reports", BASE, ".github/CODEOWNERS", codeowners);
  await house.say(ANA, "mend the lint script", { channel: "C0DATA" });
}

const asks = async (run: Run) =>
  (await house.question(run)).asks.map(({ from, owners, paths, unknown }) => ({ from, owners, paths, unknown }));

test("the owners at the base commit are asked, and their yes publishes", async () => {
  await asked("* @acme/data-leads\n");
  const run = await house.until("suspended");
  expect(await asks(run)).toEqual([
    { from: "codeowners", owners: ["@acme/data-leads"], paths: ["scripts/lint.sh"], unknown: [] },
  ]);
  const first = await house.question(run);
  expect(code(await house.answer(CY, first.id))).toBe("not_an_approver");
  expect(code(await house.answer(BO, first.id))).toBe("noted");
  await house.until("in_review");
});

test("every path needs one of its own owners", async () => {
  await asked("/scripts/ @acme/data-leads\n/sql/ @fin\n", ["scripts/lint.sh", "sql/week.sql", "docs/a.md"]);
  const run = await house.until("suspended");
  expect(await asks(run)).toEqual([
    { from: "codeowners", owners: ["@acme/data-leads"], paths: ["scripts/lint.sh"], unknown: [] },
    { from: "codeowners", owners: ["@fin"], paths: ["sql/week.sql"], unknown: [] },
  ]);
  const first = await house.question(run);
  await house.answer(BO, first.id);
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("pending");
  await house.answer(FIN, first.id);
  await house.until("in_review");
});

test("an owner who has left the team owns nothing at the click", async () => {
  await asked("* @acme/data-leads\n");
  const run = await house.until("suspended");
  house.directory.group({ github_team: "acme/data-leads" }, [CY.id]);
  expect(code(await house.answer(BO, (await house.question(run)).id))).toBe("not_an_approver");
});

test("an owner of whom nobody is found is said by name, and the others are asked", async () => {
  await asked("* @acme/data-leads @ghost\n");
  const run = await house.until("suspended");
  expect(await asks(run)).toMatchObject([{ owners: ["@acme/data-leads", "@ghost"], unknown: ["@ghost"] }]);
  expect((await factsOf(house.core, run.id)).approvals[0]?.asks[0]).toMatchObject({ unknown: ["@ghost"] });
});

test("when nobody at all is found nothing is published, and the owners are said by name", async () => {
  await asked("* @ghost\n");
  const run = await house.until("publishing");
  expect((await house.notices(run)).at(-1)).toContain("nobody is found for the code owners @ghost");
  expect(await house.core.stores.approvals.ofRun(run.id)).toEqual([]);
  house.directory.group({ github_user: "ghost" }, [BO.id]);
  await house.pass(60_000, run);
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("paths that nobody owns go to whom policy asks where no rule names a group", async () => {
  await asked("/sql/ @fin\n");
  const run = await house.until("suspended");
  expect(await asks(run)).toEqual([
    { from: "group:security", owners: [], paths: ["scripts/lint.sh"], unknown: undefined },
  ]);
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("a repository without the file has owners of nothing", async () => {
  await asked(null);
  const run = await house.until("suspended");
  expect(await asks(run)).toMatchObject([{ from: "group:security", owners: [] }]);
});

test("a file that cannot be read as it is meant stops the run before any work, with the line to mend", async () => {
  await asked("* @acme/data-leads\n!scripts/ @fin\n");
  const run = await house.until("handed_off");
  const { handoff } = await factsOf(house.core, run.id);
  expect(handoff?.fault).toBe("code");
  expect(handoff?.failed).toBe(
    '.github/CODEOWNERS:2 the pattern "!scripts/" negates, and a CODEOWNERS file cannot: name the exception below it, without owners',
  );
});

test("the file is looked for where GitHub looks, and the first one counts", async () => {
  await asked("* @acme/data-leads\n");
  house.gateway.holdFile("acme/reports", BASE, "CODEOWNERS", "* @fin\n");
  house.gateway.holdFile("acme/reports", BASE, "docs/CODEOWNERS", "* @ghost\n");
  const run = await house.until("suspended");
  expect(await asks(run)).toMatchObject([{ owners: ["@acme/data-leads"] }]);
});
