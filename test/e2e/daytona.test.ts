import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { localBench } from "#test/adapters/sandbox-local-bench.ts";
import { freePort } from "#test/command.ts";
import { type DaytonaDouble, daytonaDouble } from "#test/doubles/daytona/double.ts";
import { inBrowser, type Surroundings, stageOfFile } from "./stage.ts";
import { twoMinutes } from "./two-minutes.ts";

let double: DaytonaDouble;

/** A platform of our own on this machine: to its sandboxes a gateway at "localhost" is somewhere. */
async function besideDaytona(): Promise<Surroundings> {
  const underneath = await localBench();
  const folder = await mkdtemp(path.join(tmpdir(), "cs-dt-"));
  double = await daytonaDouble({ folder, local: underneath.provider });
  const port = await freePort();
  return {
    settings: {
      DAYTONA_API_KEY: double.apiKey,
      DAYTONA_API_URL: double.apiUrl,
      COUNTERSIGN_GATEWAY_URL: `https://localhost:${port}`,
      COUNTERSIGN_GATEWAY_LISTEN: `127.0.0.1:${port}`,
    },
    async close() {
      await double.close();
      for (const { id } of await underneath.provider.list({})) await underneath.provider.destroy(id);
      await underneath.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const stage = stageOfFile(besideDaytona);

inBrowser("the two minutes are the same with sandboxes at Daytona", async () => {
  await twoMinutes(stage);
  const creates = double.seen.filter(({ method, path: at }) => method === "POST" && at === "/api/sandbox");
  expect(creates.length).toBeGreaterThan(0);
  expect(double.invalid).toEqual([]);
  console.info(`${double.seen.length} calls of the API, ${creates.length} sandboxes`);
});
