import { expect, test } from "vitest";
import { agreement } from "#test/policy/agreement.ts";

test("5,000 random requests are answered as Cedar answers them", () => {
  const { requests, outcomes } = agreement({ policies: 100, requestsEach: 50 });
  expect(requests).toBe(5_000);
  // Each answer is met often enough for the agreement to mean something.
  for (const outcome of ["allow", "ask", "deny"] as const) expect(outcomes[outcome]).toBeGreaterThan(250);
});
