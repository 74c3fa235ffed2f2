import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { doctorCommand } from "#command/doctor.ts";
import { parseConfig } from "#config.ts";
import { examinationsOf } from "#doctor.ts";
import { StartError } from "#parts.ts";
import { openSandboxes } from "#sandboxes.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { freePort } from "#test/command.ts";
import { daytonaPlatform, type Platform } from "#test/doubles/daytona/platform.ts";

/** What `countersign doctor` and a start say of sandboxes at Daytona, and what of it was tried. */
describe.skipIf(noBubblewrap !== null)(`Daytona${noBubblewrap === null ? "" : ` (not here: ${noBubblewrap})`}`, () => {
  let platform: Platform;
  let folder = "";
  beforeAll(async () => {
    platform = await daytonaPlatform();
    folder = mkdtempSync(path.join(tmpdir(), "countersign-doctor-sandboxes-"));
  });
  afterAll(async () => {
    await platform.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const settings = (env: Readonly<Record<string, string>>) => ({
    ...{ COUNTERSIGN_DATA: folder, ...platform.settings, ...env },
  });

  async function doctor(env: Readonly<Record<string, string>> = {}) {
    const said: string[] = [];
    const examinations = examinationsOf(settings(env), folder).filter(({ of }) => /Sandboxes|Gateway/.test(of));
    const ended = await doctorCommand(["--json"], { examinations, out: (text) => said.push(text) });
    const { examined } = JSON.parse(said.join("")) as {
      examined: { findings: { level: string; id: string; what: string; fix: string | null }[] }[];
    };
    expect(said.join("")).not.toMatch(/dtn_/);
    return { ended, of: examined.flatMap(({ findings }) => findings) };
  }
  /** What a start makes of the same. */
  async function start(env: Readonly<Record<string, string>> = {}) {
    const said: string[] = [];
    const provider = await openSandboxes(parseConfig(settings(env), folder), {
      imageFolder: () => Promise.reject(new Error("no sandbox is made here")),
      installation: () => "nobody's",
      say: (message) => void said.push(message),
    });
    await provider[Symbol.asyncDispose]?.();
    return said;
  }

  test("a key that Daytona takes was shown to it, and what was not tried is said", async () => {
    platform.double.seen.length = 0;
    const { ended, of } = await doctor();
    expect([ended, of.map(({ level, id }) => `${level} ${id}`)]).toEqual([0, ["ok sandboxes", "note gateway"]]);
    expect(of[0]?.what).toMatch(/^Daytona takes our key, .* was not tried/);
    expect(of[1]?.what).toMatch(/is at https:\/\/localhost:\d+\. Whether it can be reached there was not tried/);
    expect(platform.double.seen.map(({ key, method, path }) => [key, method, path])).toEqual([
      [platform.double.apiKey, "GET", "/api/sandbox"],
    ]);
    expect(await start()).toEqual([]);
  });

  test("a key that Daytona refuses is named, and nothing starts with it", async () => {
    const wrong = { DAYTONA_API_KEY: "dtn_wrong" };
    const { ended, of } = await doctor(wrong);
    expect(ended).toBe(1);
    expect(of[0]).toMatchObject({
      ...{ level: "wrong", id: "sandboxes", what: expect.stringContaining("Daytona refuses DAYTONA_API_KEY (") },
      fix: expect.stringMatching(/^Make a key in Daytona's dashboard, with rights to create, list and delete/),
    });
    const refused = await start(wrong).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StartError);
    expect(refused).toMatchObject({
      message: expect.stringMatching(/^Daytona refuses DAYTONA_API_KEY .*: Make a key/),
    });
  });

  test("an address that is no API of Daytona's is named", async () => {
    const { of } = await doctor({ DAYTONA_API_URL: `${platform.double.apiUrl}/elsewhere` });
    expect(of[0]).toMatchObject({ level: "wrong", what: expect.stringMatching(/^There is no API of Daytona's at /) });
    platform.double.invalid.length = 0;
  });

  test("a Daytona that does not answer is said by doctor, and keeps nothing from starting", async () => {
    const away = { DAYTONA_API_URL: `http://127.0.0.1:${await freePort()}/api` };
    const { ended, of } = await doctor(away);
    expect([ended, of[0]?.level, of[0]?.id]).toEqual([1, "wrong", "sandboxes.unasked"]);
    expect(of[0]?.what).toMatch(/^Daytona does not say whether it takes DAYTONA_API_KEY: /);
    expect(await start(away)).toEqual(["Daytona cannot be asked now"]);
  });

  test("too many calls say nothing against a key", async () => {
    platform.double.faults.throttled = { times: 9, seconds: 60, name: "authenticated" };
    expect((await doctor()).ended).toBe(0);
    platform.double.faults.throttled.times = 0;
  });

  test("a gateway that a hosted sandbox cannot reach is said once, with its fix, before anybody is asked", async () => {
    platform.double.seen.length = 0;
    const { ended, of } = await doctor({ COUNTERSIGN_GATEWAY_URL: "", COUNTERSIGN_GATEWAY_LISTEN: "" });
    expect([ended, of.map(({ level, id }) => `${level} ${id}`)]).toEqual([1, ["wrong sandboxes", "note gateway"]]);
    expect(of[0]).toMatchObject({
      what: expect.stringMatching(/^A hosted sandbox cannot reach the gateway: it listens on this machine only/),
      fix: expect.stringMatching(/^Run the gateway where the internet can reach it/),
    });
    expect(platform.double.seen).toEqual([]);
  });
});
