import { expect, test } from "vitest";
import { subjectOf } from "#runs/pull-request.ts";
import { failedChecks } from "#runs/result/checks.ts";

const run = { text: "make shipping free", number: 7 };

test("a handoff names each red check and what is wrong with it", () => {
  expect(failedChecks(run, [{ name: "unit tests", verdict: "broke" }], 1)).toMatchObject({
    tried: "make shipping free",
    failed: 'The check "unit tests" passes without the change and fails with it.',
  });
  const several = [
    { name: "unit tests", verdict: "broke" as const },
    { name: "types", verdict: "broke" as const },
    { name: "links", verdict: "not_run" as const },
  ];
  expect(failedChecks(run, several, 3)).toMatchObject({
    tried: "make shipping free (3 attempts)",
    failed:
      'The checks "unit tests", "types" pass without the change and fail with it. The check "links" could not be run.',
  });
});

test("a subject is the request's first line, as it was written, cut between two words", () => {
  expect(subjectOf({ text: 'run `npm test`, then say "done"\nand more', number: 1 }, 72)).toBe(
    'run `npm test`, then say "done"',
  );
  expect(subjectOf({ text: "one two three four", number: 1 }, 12)).toBe("one two…");
  expect(subjectOf({ text: " \n ", number: 3 }, 12)).toBe("Run 3");
});
