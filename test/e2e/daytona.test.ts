import { expect } from "vitest";
import type { DaytonaDouble } from "#test/doubles/daytona/double.ts";
import { daytonaPlatform } from "#test/doubles/daytona/platform.ts";
import { inBrowser, type Surroundings, stageOfFile } from "./stage.ts";
import { twoMinutes } from "./two-minutes.ts";

let double: DaytonaDouble;

async function besideDaytona(): Promise<Surroundings> {
  const platform = await daytonaPlatform();
  double = platform.double;
  return platform;
}

const stage = stageOfFile(besideDaytona);

inBrowser("the two minutes are the same with sandboxes at Daytona", async () => {
  await twoMinutes(stage);
  const creates = double.seen.filter(({ method, path: at }) => method === "POST" && at === "/api/sandbox");
  expect(creates.length).toBeGreaterThan(0);
  expect(double.invalid).toEqual([]);
  console.info(`${double.seen.length} calls of the API, ${creates.length} sandboxes`);
});
