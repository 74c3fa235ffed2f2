import { describe, inject, test } from "vitest";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { STEPS } from "#test/e2e/ticket.ts";
import { whole } from "#test/e2e/whole.ts";

/** `test/e2e/whole.test.ts` with either of the two replicas killed, at every step of a ticket's way. */
const KILLS = STEPS.flatMap((step) => (["holder", "other"] as const).map((victim) => ({ step, victim })));

describe.skipIf(noBubblewrap !== null)("with Linear, Slack, Daytona, GitHub and Neon", { timeout: 600_000 }, () => {
  test.each(KILLS)("a ticket ends the same when the $victim is killed at the step $step", ({ step, victim }) =>
    whole({ server: inject("postgres"), name: `${victim}_${step.replaceAll(" ", "_")}`, step, victim }),
  );

  test("a ticket ends the same when the replica that was killed comes back at once", () =>
    whole({ server: inject("postgres"), name: "back_again", step: "at work", victim: "holder", again: true }));
});
