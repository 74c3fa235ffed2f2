import { afterAll, beforeAll, describe, test } from "vitest";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { startPostgres } from "#test/postgres.ts";
import { whole } from "./whole.ts";

/**
 * The whole of it: a ticket of Linear's, people in Slack over Socket Mode, sandboxes at Daytona, code on GitHub, the
 * database at Neon; each by its vendor's own client, against a double that holds every request against the vendor's
 * schema. Two replicas carry it, and either of them is killed. The other points of time are in `npm run test:long`.
 */
let server: Awaited<ReturnType<typeof startPostgres>>;

describe.skipIf(noBubblewrap !== null)("with Linear, Slack, Daytona, GitHub and Neon", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  test.for([
    { victim: "holder", which: "the replica that has the run" },
    { victim: "other", which: "the replica beside it" },
  ] as const)(
    "a delegated ticket ends as a merged pull request, though $which is killed in the middle of the turn",
    ({ victim }) => whole({ server: server.url, name: victim, step: "at work", victim }),
  );
});
