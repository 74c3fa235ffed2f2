import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { bootstrapOfFile } from "#test/scripts/bootstrap.ts";
import { oldestNode } from "./oldest-node.ts";

/** The oldest Node that a host may have, the real one: what starts everything else must get along with what that has. */

let node = "";
beforeAll(async () => {
  node = path.join(await oldestNode(), "node");
}, 300_000);

const { at, calls, child, missing, program, run, start } = bootstrapOfFile(() => node);

/** As the dependencies bring it. */
beforeEach(() => {
  const brought = at("node_modules", `node-linux-${process.arch}`, "bin");
  mkdirSync(brought, { recursive: true });
  symlinkSync(process.execPath, path.join(brought, "node"));
});

/** Type stripping, and so Node 24, or it does not start. */
const SAYS = "const words: readonly string[] = process.argv.slice(2);\nconsole.log(process.version, ...words);\n";

test("Node 18 installs the dependencies and starts a TypeScript file with the Node 24 that they bring", async () => {
  writeFileSync(at("child.ts"), SAYS);
  writeFileSync(at("package-lock.json"), '{ "other": true }');
  writeFileSync(
    at("npm-cli.js"),
    `require("node:fs").appendFileSync(${JSON.stringify(at("calls"))}, "npm by " + process.version + "\\n");
if (process.argv[2] === "config") console.log("http://127.0.0.1:4873/");
else require("node:fs").writeFileSync("node_modules/.package-lock.json", "{}");`,
  );
  expect(await run([at("child.ts"), "a b"], { npm_execpath: at("npm-cli.js") })).toEqual({
    code: 0,
    out: `${process.version} a b\n`,
    err: "countersign: installing dependencies (once per lockfile)\n",
  });
  expect(calls("npm")).toEqual(["npm by v18.20.8", "npm by v18.20.8"]);
});

test("Node 18 starts the command line, and a program of a package", async () => {
  mkdirSync(at("src"));
  writeFileSync(at("src", "main.ts"), SAYS);
  expect(await run(["receipt", "verify"], {}, "countersign.mjs")).toEqual({
    code: 0,
    out: `${process.version} receipt verify\n`,
    err: "",
  });
  mkdirSync(at("node_modules", "vitest"));
  writeFileSync(at("node_modules", "vitest", "package.json"), '{ "bin": { "vitest": "vitest.mjs" } }');
  writeFileSync(at("node_modules", "vitest", "vitest.mjs"), 'console.log("tests", ...process.argv.slice(2));');
  expect((await run(["--for-tests", "--bin", "vitest", "run"])).out).toBe("tests run\n");
});

test("Node 18 brings a program of the system that is missing, or says the line that does", async () => {
  missing("bwrap");
  program("sudo", "exit 1");
  program("apt-get", "exit 0");
  expect((await run([at("child.mjs")])).err).toMatch(
    /^countersign: bubblewrap is missing\. Run `sudo apt-get install -y --no-install-recommends bubblewrap`/,
  );
  program(
    "apt-get",
    `case "$*" in install*) printf '#!/bin/sh\\necho bubblewrap 0.4.1\\n' > ${at("bin", "bwrap")}; /bin/chmod 755 ${at("bin", "bwrap")};; esac`,
  );
  const { code, err } = await run([at("child.mjs")], { PRETEND_UID: "0" });
  expect([code, err]).toEqual([1, expect.stringContaining("bubblewrap 0.4.1 is too old, 0.8 is needed")]);
});

test("Node 18 passes a signal on, and ends as what it started does", async () => {
  child('process.on("SIGTERM", () => process.exit(5)); console.log("ready"); setInterval(() => {}, 1_000);');
  const started = start([at("child.mjs")]);
  for await (const said of started.stdout?.setEncoding("utf8") ?? []) if (String(said).includes("ready")) break;
  const ended = new Promise((resolve) => started.once("exit", resolve));
  started.kill("SIGTERM");
  expect(await ended).toBe(5);
});
