import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { secretFiles } from "#adapters/secrets/files.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { ingest } from "#runs/sandbox/audit.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { type Forge, makeForge } from "#test/gateway/forge.ts";
import { makeWorld, type World } from "#test/gateway/world.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

const REAL = "REAL-c7f3b1e09d54-value";
const FORMS = [
  REAL,
  encodeURIComponent(REAL),
  Buffer.from(REAL).toString("hex"),
  Buffer.from(REAL).toString("base64").replace(/=+$/, "").slice(0, -1),
  Buffer.from(`u:${REAL}`).toString("base64").slice(3, -4),
];

/** Uses the secret as it is meant, as Basic, and on another host; then says all that a process in there can see. */
const SCRIPT = `
const mark = process.env.SECRET_CMS_READ;
const get = async (url, authorization, more) => {
  const answer = await fetch(url, { headers: { authorization, ...more } });
  return answer.status + " " + (await answer.text());
};
(async () => {
  console.log("A", await get("https://cms.example.com/v1/echo", "Bearer " + mark));
  console.log("B", await get("https://cms.example.com/v1/echo", "Basic " + Buffer.from("u:" + mark).toString("base64")));
  console.log("C", await get("https://cms.example.com/v1/echo", "Bearer " + mark, { range: "bytes=0-9" }));
  console.log("D", await get("https://reports.example.com/v1/echo", "Bearer " + mark));
  console.log("E", await get("https://cms.example.com/v1/echo", "Bearer of-my-own"));
  const { readdirSync, readFileSync } = require("node:fs");
  for (const pid of readdirSync("/proc").filter(Number)) {
    try { console.log("P", readFileSync("/proc/" + pid + "/environ", "latin1"), readFileSync("/proc/" + pid + "/cmdline", "latin1")); } catch {}
  }
})();
`;

async function textBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, "latin1")))).join("\n");
}

describe.skipIf(noBubblewrap !== null)("a secret behind a real wall", () => {
  let folder: string;
  let kept: string;
  let world: World;
  let forge: Forge;
  let house: Awaited<ReturnType<typeof memoryHouse>>;
  const leaving = new AbortController();

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "cs-nowhere-"));
    await chmod(folder, 0o755);
    await mkdir(path.join(folder, "image"));
    kept = await mkdtemp(path.join(tmpdir(), "cs-kept-"));
    await writeFile(path.join(kept, "cms-read"), `${REAL}\n`, { mode: 0o600 });
    world = await makeWorld({ config: { secrets: secretFiles({ folder: kept, given: new Map() }) } });
    forge = await makeForge("acme/reports");
    const seed = path.join(forge.folder, "seed");
    await mkdir(path.join(seed, "scripts"));
    await writeFile(path.join(seed, "scripts/lint.sh"), "exit 0\n");
    await writeFile(path.join(seed, "scripts/ask.cjs"), SCRIPT);
    for (const args of [
      ["add", "."],
      ["commit", "--quiet", "-m", "scripts"],
      ["push", "--quiet", forge.path, "main"],
    ]) {
      expect(await forge.git(args, seed)).toMatchObject({ code: 0 });
    }
    const sandboxes = localSandboxes({
      stateDir: path.join(folder, "state"),
      sharedDir: path.join(folder, "shared"),
      node: process.execPath,
      spareMs: 0,
      imageFolder: async () => path.join(folder, "image"),
    });
    const play = () => [{ run: "rm -rf build", ask: true }, { say: "Done." }];
    house = await memoryHouse({ play }, { wall: { gateway: world.client, sandboxes, cloneUrl: forge.path } });
    house.policy.edit(
      "teams/data.yaml",
      "egress:\n",
      "setup:\n  - { in: acme/reports, command: node scripts/ask.cjs }\negress:\n  - { host: cms.example.com, methods: [GET], secret: cms-read }\n",
    );
    void ingest(house.core, leaving.signal).catch(() => undefined);
  });
  afterAll(async () => {
    leaving.abort();
    await house.close();
    for (const { id } of await house.sandboxes.list({})) await house.sandboxes.destroy(id);
    await world.close();
    await forge.close();
    for (const each of [folder, kept]) await rm(each, { recursive: true, force: true });
  });

  test("the real value goes to its host and to no other place that anybody can look at", {
    timeout: 120_000,
  }, async () => {
    await house.say(ANA, "read the reports", { channel: "C0DATA" });
    const run = await house.until("working");
    const question = await house.question(run);
    const said = (await factsOf(house.core, run.id)).setup[0];
    expect(said?.exitCode, said?.output).toBe(0);
    const line = (mark: string) => said?.output.split("\n").find((one) => one.startsWith(`${mark} `)) ?? "";
    // It works where it belongs, and what comes back shows its name.
    for (const mark of ["A", "B", "C"]) {
      expect(line(mark)).toContain("200 ");
      expect(line(mark)).toContain("[secret:cms-read]");
    }
    expect(world.requests.filter(({ host }) => host === "cms.example.com")).toHaveLength(3);
    const sent = world.requests.map(({ rawHeaders }) => rawHeaders.join("\n"));
    expect(sent[0]).toContain(`Bearer ${REAL}`);
    expect(sent[1]).toContain(`Basic ${Buffer.from(`u:${REAL}`).toString("base64")}`);
    expect(sent[2]).not.toMatch(/^range$/im);
    // Elsewhere, and with another's credential, nothing leaves.
    expect(line("D")).toMatch(/403 .*token_host/);
    expect(line("E")).toMatch(/403 .*foreign_credential/);
    const audit = await world.auditText();
    for (const reason of ["token_host", "foreign_credential"]) expect(audit).toContain(reason);

    const [sandbox] = await house.sandboxes.list({});
    const { core } = house;
    const places: Record<string, string> = {
      "the record": JSON.stringify(await eventsOf(core, run.id)),
      "the questions": JSON.stringify(await core.stores.approvals.ofRun(run.id)),
      "the turns": JSON.stringify(await core.stores.turns.all(run.id)),
      "the effects": JSON.stringify(await core.stores.effects.ofRun(run.id)),
      "the sandboxes": JSON.stringify([await core.stores.sandboxes.ofRun(run.id), sandbox]),
      // A run without trouble logs nothing.
      "the log": house.logged.join("\n") || "nothing",
      "what people are shown": JSON.stringify([...(await house.show()).values()]),
      "the gateway's folder": await textBelow(world.stateDir),
      "the sandbox and its provider's record": await textBelow(folder),
    };
    for (const [place, text] of Object.entries(places)) {
      expect(text.length, place).toBeGreaterThan(0);
      for (const form of FORMS) expect(text.includes(form), `${place} has ${form}`).toBe(false);
    }
    expect(places["the record"]).not.toContain(core.tokenFor(`${sandbox?.key}/secret/cms-read`));
    expect(question.gate).toBe("command");
  });
});
