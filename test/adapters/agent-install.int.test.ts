import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installImage } from "#adapters/agent/install.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "install-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A recipe with a lockfile, and an npm that only notes that it was called. */
async function recipe(npm: string): Promise<(name?: string) => Promise<string>> {
  const from = path.join(folder, "images");
  await mkdir(path.join(from, "tool"), { recursive: true });
  const bin = { run: ["tool-arm/run", "tool-x64/run"] };
  await writeFile(path.join(from, "tool", "package.json"), JSON.stringify({ countersign: { bin } }));
  await writeFile(path.join(from, "tool", "package-lock.json"), "{}");
  const script = path.join(folder, "npm.sh");
  await writeFile(script, `#!/bin/sh\necho "$@" >> ${folder}/calls\n${npm}\n`);
  await chmod(script, 0o755);
  return (name = "tool") =>
    installImage({
      name,
      from,
      into: path.join(folder, "data"),
      npm: [script],
      env: { PATH: "/usr/bin:/bin" },
      signal: AbortSignal.timeout(20_000),
    });
}

const calls = () => readFile(path.join(folder, "calls"), "utf8");

test("an image is installed once, without scripts, and its program has one name on every processor", async () => {
  const install = await recipe("mkdir -p node_modules/tool-x64; touch node_modules/tool-x64/run");
  const first = await install();
  expect(await install()).toBe(first);
  expect(await calls()).toBe("ci --ignore-scripts --no-audit --no-fund --no-update-notifier\n");
  expect(await readlink(path.join(first, "bin", "run"))).toBe("../node_modules/tool-x64/run");
});

test("two at once end with one folder and nothing half-made", async () => {
  const install = await recipe("mkdir -p node_modules/tool-x64; touch node_modules/tool-x64/run");
  const [one, two] = await Promise.all([install(), install()]);
  expect(one).toBe(two);
  expect(await readdir(path.join(folder, "data"))).toEqual([path.basename(one)]);
});

test("a changed pin is another folder", async () => {
  const install = await recipe("mkdir -p node_modules/tool-x64; touch node_modules/tool-x64/run");
  const before = await install();
  await writeFile(path.join(folder, "images", "tool", "package-lock.json"), '{"lockfileVersion":3}');
  expect(await install()).not.toBe(before);
});

test("a registry that cannot be reached is one error with the line to try, and leaves nothing", async () => {
  const install = await recipe("echo 'getaddrinfo ENOTFOUND' >&2; exit 7");
  await expect(install()).rejects.toThrow(
    /the agent "tool" could not be installed \(npm ended with 7\).*npm ci.*ENOTFOUND/s,
  );
  expect(await readdir(path.join(folder, "data"))).toEqual([]);
});

test("a machine the agent has no program for is told so", async () => {
  const install = await recipe("true");
  await expect(install()).rejects.toThrow(`has no program for ${process.platform} on ${process.arch}`);
});

test.each(["../etc", "", "a/b", "nothing-here"])("a name that is no image is refused: %s", async (name) => {
  const install = await recipe("true");
  await expect(install(name)).rejects.toThrow(/agent image/);
});

test("a program of ours is one file that Node runs as it is", async () => {
  const install = await recipe("true");
  const image = path.join(folder, "images", "ours");
  await mkdir(image);
  const programs = { "hello.cjs": "hello.ts" };
  await writeFile(path.join(image, "package.json"), JSON.stringify({ type: "module", countersign: { programs } }));
  await writeFile(
    path.join(image, "hello.ts"),
    'import { name } from "./name.ts";\nconst to: string = name;\nconsole.log("Hello", to);\n',
  );
  await writeFile(path.join(image, "name.ts"), 'export const name = "you";\n');
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(await install("ours"), "hello.cjs")]);
  expect(stdout).toBe("Hello you\n");
});

test("an image without a lockfile is copied and never installed", async () => {
  const install = await recipe("true");
  await mkdir(path.join(folder, "images", "plain"));
  await writeFile(path.join(folder, "images", "plain", "agent.ts"), "export {};\n");
  expect(await readdir(await install("plain"))).toEqual(["agent.ts"]);
  await expect(calls()).rejects.toThrow("ENOENT");
});
