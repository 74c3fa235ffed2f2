import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** The egress corpus has a real gateway, but the name that everybody is told. */
const CORPUS = "test/gateway/corpus.test.ts";

/** unit: pure. integration: real processes, real Postgres, real git. e2e: a whole product and a real browser. */
export default defineConfig({
  test: {
    // Much of what they do is waiting for other processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.int.test.ts", CORPUS, "test/e2e/**", "test/chaos/**", "test/long/**"],
          // Properties over thousands of cases share two cores with the other projects.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/**/*.int.test.ts", CORPUS],
          exclude: ["test/e2e/**", "test/chaos/**", "test/long/**"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          globalSetup: ["test/postgres.setup.ts"],
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/chaos/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
