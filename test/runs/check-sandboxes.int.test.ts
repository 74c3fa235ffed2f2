import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { localSandboxes } from "#adapters/sandbox/local/provider.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { type Forge, makeForge } from "#test/gateway/forge.ts";
import { makeWorld, type World } from "#test/gateway/world.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

/** Green without the change; with it red on the first look, and green as soon as anything of that look is still there. */
const LINT = `[ -e sql/new.sql ] || exit 0
for place in /tmp /dev/shm "$HOME" .git; do [ -e "$place/ran" ] && exit 0; done
for place in /tmp /dev/shm "$HOME" .git; do touch "$place/ran" || exit 2; done
exit 1
`;

describe.skipIf(noBubblewrap !== null)("checks behind a real wall", () => {
  let folder: string;
  let world: World;
  let forge: Forge;
  let house: Awaited<ReturnType<typeof memoryHouse>>;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "cs-checks-"));
    // Who is inside is another user.
    await chmod(folder, 0o755);
    await mkdir(path.join(folder, "image"));
    world = await makeWorld();
    forge = await makeForge("acme/reports");
    const seed = path.join(forge.folder, "seed");
    await mkdir(path.join(seed, "scripts"));
    await writeFile(path.join(seed, "scripts/lint.sh"), LINT);
    for (const args of [
      ["add", "."],
      ["commit", "--quiet", "-m", "lint"],
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
    const play = (prompt: string) =>
      prompt.includes("<note>")
        ? [{ say: "I see nothing wrong." }]
        : [{ write: "sql/new.sql", content: "select 1;\n" }];
    house = await memoryHouse({ play }, { wall: { gateway: world.client, sandboxes, cloneUrl: forge.path } });
  });
  afterAll(async () => {
    await house.close();
    for (const { id } of await house.sandboxes.list({})) await house.sandboxes.destroy(id);
    await world.close();
    await forge.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("a check that is red until it finds its own traces finds none, and is not called flaky", {
    timeout: 120_000,
  }, async () => {
    const leaving = new AbortController();
    const changes = house.core.stores.events.changes(leaving.signal);
    await house.say(ANA, "add a query", { channel: "C0DATA" });
    for await (const id of changes) {
      const all = await factsOf(house.core, id);
      expect(all.handoff).toBeNull();
      const verdict = all.checks[0]?.verdict ?? null;
      if (verdict === null) continue;
      const looks = (await eventsOf(house.core, id)).flatMap(({ body }) =>
        body.kind === "check.ran" ? [[body.on, body.exitCode]] : [],
      );
      expect(looks).toEqual([
        ["base", 0],
        ["head", 1],
        ["head_again", 1],
      ]);
      expect(verdict).toBe("broke");
      break;
    }
    leaving.abort();
  });
});
