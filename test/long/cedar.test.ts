import { expect, test } from "vitest";
import { agreement } from "#test/policy/agreement.ts";

test("100,000 random requests are answered as Cedar answers them", { timeout: 30 * 60_000 }, () => {
  expect(agreement({ policies: 1_000, requestsEach: 100 }).requests).toBe(100_000);
});
