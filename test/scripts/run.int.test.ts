import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bootstrapOfFile } from "./bootstrap.ts";

const { at, calls, child, program, run, start } = bootstrapOfFile();

describe.skipIf(process.platform !== "linux")("scripts/run.mjs", { timeout: 60_000 }, () => {
  test("starts what it was asked to start and says nothing itself", async () => {
    expect(await run([at("child.mjs"), "--repo", "x y"])).toEqual({ code: 0, out: "child --repo x y\n", err: "" });
  });

  test("passes the exit code on", async () => {
    child("process.exit(7);");
    expect((await run([at("child.mjs")])).code).toBe(7);
  });

  test("ends by the signal that ended its child", async () => {
    child('process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1_000);');
    const started = start([at("child.mjs")]);
    expect(await once(started, "exit")).toEqual([null, "SIGTERM"]);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`forwards ${signal} and waits for the child's own end`, async () => {
      writeFileSync(
        at("child.mjs"),
        `process.on("${signal}", () => { console.log("stopping"); process.exit(5); });
console.log("ready");
setInterval(() => {}, 1_000);`,
      );
      const started = start([at("child.mjs")]);
      let words = "";
      const ready = Promise.withResolvers<void>();
      started.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
        words += chunk;
        if (words.includes("ready")) ready.resolve();
      });
      await ready.promise;
      started.kill(signal);
      expect(await once(started, "close")).toEqual([5, null]);
      expect(words).toBe("ready\nstopping\n");
    });
  }

  describe("Node", () => {
    const folder = () => at("node_modules", `node-linux-${process.arch}`, "bin");

    test("an old one of the host brings Node 24 out of the dependencies, first on the child's PATH", async () => {
      program("node", 'echo "brought $* with $PATH"', folder());
      const { code, out } = await run([at("child.mjs"), "a"], { PRETEND_NODE: "18.20.4" });
      expect([code, out]).toEqual([0, `brought ${at("child.mjs")} a with ${folder()}:${at("bin")}\n`]);
    });

    test("an old one without Node 24 for this machine is one line", async () => {
      const { code, out, err } = await run([at("child.mjs")], { PRETEND_NODE: "18.20.4" });
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(
        /^countersign: Node 24 is needed and none comes for linux \w+: install Node 24 or newer \(this is v18\.20\.4\) and start again\.\n$/,
      );
    });
  });

  describe("dependencies", () => {
    /** npm's program; what it is told to do it writes down. */
    function npm(does: string): Record<string, string> {
      writeFileSync(
        at("npm-cli.js"),
        `const fs = require("node:fs"); const words = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(at("calls"))}, "npm " + words.join(" ") + "\\n");
${does}
if (words[0] !== "config") fs.writeFileSync("node_modules/.package-lock.json", words.join(" "));`,
      );
      return { npm_execpath: at("npm-cli.js") };
    }

    test("are installed when the lockfile is another, once", async () => {
      writeFileSync(at("package-lock.json"), '{ "other": true }');
      const env = npm("");
      const first = await run([at("child.mjs")], env);
      expect([first.code, first.out]).toEqual([0, "child\n"]);
      expect(first.err).toBe("countersign: installing dependencies (once per lockfile)\n");
      expect(await run([at("child.mjs")], env)).toEqual({ code: 0, out: "child\n", err: "" });
      expect(calls("npm").filter((call) => call.startsWith("npm ci"))).toEqual([
        "npm ci --include=dev --no-audit --no-fund --loglevel=error",
      ]);
    });

    test("are half as many for the product alone; the others are added when a test wants them, and none is taken away", async () => {
      writeFileSync(at("package-lock.json"), '{ "other": true }');
      mkdirSync(at("src"));
      writeFileSync(at("src", "main.mjs"), 'console.log("product");');
      const env = npm("");
      for (const _ of ["once", "again"]) expect((await run([at("src", "main.mjs")], env)).out).toBe("product\n");
      const { err } = await run([at("child.mjs")], env);
      expect(err).toBe("countersign: installing dependencies (once per lockfile; these are for tests)\n");
      for (const file of [["src", "main.mjs"], ["child.mjs"]]) expect((await run([at(...file)], env)).err).toBe("");
      expect(calls("npm").filter((call) => !call.startsWith("npm config"))).toEqual([
        "npm ci --omit=dev --no-audit --no-fund --loglevel=error",
        "npm install --no-save --package-lock --include=dev --no-audit --no-fund --loglevel=error",
      ]);
    });

    test("are begun from nothing when those for tests did not arrive whole", async () => {
      mkdirSync(at("src"));
      writeFileSync(at("src", "main.mjs"), "");
      rmSync(at("node_modules", ".countersign-lock"));
      expect((await run([at("src", "main.mjs")], npm(""))).code).toBe(0);
      const { code, err } = await run([at("child.mjs")], npm('if (words[0] === "install") process.exit(1);'));
      expect([code, err]).toEqual([1, expect.stringContaining("`npm install` failed: see its message above")]);
      expect((await run([at("child.mjs")], npm(""))).code).toBe(0);
      expect(calls("npm").map((call) => call.split(" --", 1)[0])).toEqual([
        ...["npm ci", "npm config get registry"],
        "npm install",
        ...["npm ci", "npm config get registry"],
      ]);
    });

    test("are installed by one of two commands at once, and the lock of a dead one holds nobody up", async () => {
      writeFileSync(at("package-lock.json"), '{ "other": true }');
      // A process number that no Linux gives.
      writeFileSync(at(".countersign-installing"), String(2 ** 22 + 1));
      const env = npm("setTimeout(() => {}, 300);");
      const ran = await Promise.all([run([at("child.mjs")], env), run([at("child.mjs")], env)]);
      expect(ran.map(({ code, out }) => [code, out])).toEqual([
        [0, "child\n"],
        [0, "child\n"],
      ]);
      expect(calls("npm").filter((call) => call.startsWith("npm ci"))).toHaveLength(1);
      expect(readdirSync(at(".")).filter((name) => name.startsWith(".countersign"))).toEqual([]);
    });

    test("that cannot be installed are one line, and are tried again the next time", async () => {
      writeFileSync(at("package-lock.json"), '{ "other": true }');
      const env = npm('console.error("npm error network"); process.exit(1);');
      for (const _ of ["once", "again"]) {
        const { code, out, err } = await run([at("child.mjs")], env);
        expect([code, out]).toEqual([1, ""]);
        expect(err).toMatch(/npm error network\ncountersign: `npm ci` failed: see its message above/);
      }
    });

    test.each([
      ["all of them", [], "npm ci"],
      ["those for tests", [""], "npm install"],
    ])("that npm gave up on without a word in its exit code are not taken for whole: %s", async (_, there, verb) => {
      mkdirSync(at("src"));
      writeFileSync(at("src", "main.mjs"), "");
      rmSync(at("node_modules", ".countersign-lock"));
      for (const does of there) expect((await run([at("src", "main.mjs")], npm(does))).code).toBe(0);
      const gaveUp =
        'if (words[0] !== "config") { console.error("npm error Exit handler never called!"); process.exit(0); }';
      const { code, out, err } = await run([at("child.mjs")], npm(gaveUp));
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(
        new RegExp(
          `never called!\ncountersign: \`${verb}\` ended before everything was there: see its message above, mend it, and start again\\.\n$`,
        ),
      );
      expect(await run([at("child.mjs")], npm(""))).toMatchObject({ code: 0, out: "child\n" });
    });

    test("without npm are one line", async () => {
      writeFileSync(at("package-lock.json"), '{ "other": true }');
      const { code, err } = await run([at("child.mjs")]);
      expect(code).toBe(1);
      expect(err).toBe(
        "countersign: npm is missing: install it (Debian, Ubuntu: `apt-get install -y npm`) and start again.\n",
      );
    });
  });
});
