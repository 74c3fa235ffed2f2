import { defineConfig } from "vitest/config";

/** What is too long for every change: `npm run test:long`. */
export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    globalSetup: ["test/postgres.setup.ts"],
  },
});
