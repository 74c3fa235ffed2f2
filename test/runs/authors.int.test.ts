import { expect, test } from "vitest";
import { authorsOfPull } from "#runs/record/authors.ts";
import { ANA, BO, CY, memoryHouse } from "./memory-house.ts";

test("a pull request's authors are the accounts of all whose words it came of, and of nobody who only decided", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  const run = await house.until("waiting");
  await house.say(CY, "and the basket", { in: run });
  await house.answer(BO, (await house.question(run)).id);
  const reviewed = await house.until("in_review");
  const authors = await authorsOfPull(house.core, reviewed.repo, reviewed.pullRequest?.number ?? 0);
  expect(authors.map(({ id }) => id).sort()).toEqual(["U0ANA", "U0CY"]);
  expect(await authorsOfPull(house.core, reviewed.repo, 99)).toEqual([]);
  await house.close();
});
