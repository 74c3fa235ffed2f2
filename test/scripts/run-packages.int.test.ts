import { existsSync, readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { bootstrapOfFile } from "./bootstrap.ts";

const { at, calls, child, missing, program, run } = bootstrapOfFile();
const distribution =
  (existsSync("/etc/os-release") && /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1]) ||
  "this system";

describe.skipIf(process.platform !== "linux")("programs of the system", { timeout: 60_000 }, () => {
  describe("are brought", () => {
    const tests = ["--for-tests"];

    test("git is asked for in one line", async () => {
      missing("git");
      const { code, out, err } = await run([at("child.mjs")]);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toBe(
        "countersign: git is missing: install it (Debian, Ubuntu: `apt-get install -y git`) and start again.\n",
      );
    });

    test("without root and without sudo the exact line is printed and nothing is started", async () => {
      missing("bwrap");
      program("apt-get", "exit 0");
      program("sudo", "exit 1");
      const { code, out, err } = await run([at("child.mjs")]);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toBe(
        "countersign: bubblewrap is missing. Run `sudo apt-get install -y --no-install-recommends bubblewrap` (or your system's like) and start again.\n",
      );
      expect(calls("apt-get")).toEqual([]);
    });

    test("on a system without apt the line is printed too, also for root", async () => {
      missing("bwrap");
      const { code, err } = await run([at("child.mjs")], { PRETEND_UID: "0" });
      expect(code).toBe(1);
      expect(err).toMatch(/^countersign: bubblewrap is missing\. Run `sudo apt-get install /);
    });

    /** apt-get that brings bubblewrap of this version. */
    const brings = (version: string) =>
      program(
        "apt-get",
        `case "$*" in install*) printf '#!/bin/sh\\necho bubblewrap ${version}\\n' > ${at("bin", "bwrap")}; /bin/chmod 755 ${at("bin", "bwrap")};; esac`,
      );

    test("root installs them, says so in one line, and goes on", async () => {
      missing("bwrap");
      brings("0.9.0");
      const { code, out, err } = await run([at("child.mjs")], { PRETEND_UID: "0" });
      expect([code, out]).toEqual([0, "child\n"]);
      expect(err).toBe(
        "countersign: installing bubblewrap with apt-get install -y --no-install-recommends bubblewrap\n",
      );
      expect(calls("apt-get")).toEqual(["apt-get update -qq", "apt-get install -y --no-install-recommends bubblewrap"]);
    });

    test("who may use sudo unasked has them installed with it", async () => {
      missing("bwrap", "chromium");
      program("apt-cache", 'echo "  Candidate: 156.0-1"');
      brings("0.9.0");
      program("sudo", '[ "$2" = true ] && exit 0; shift; exec "$@"');
      const { code, err } = await run([...tests, at("child.mjs")]);
      expect(err).toContain("countersign: installing bubblewrap and chromium with sudo -n apt-get install -y");
      expect(calls("sudo")).toEqual([
        "sudo -n true",
        "sudo -n apt-get update -qq",
        "sudo -n apt-get install -y --no-install-recommends bubblewrap chromium",
      ]);
      // The stand-in did not bring Chromium.
      expect(code).toBe(1);
      expect(err).toMatch(/chromium .*CHROMIUM_PATH=/);
    });

    test("an installation that fails is one line below apt's own", async () => {
      missing("bwrap");
      program("apt-get", 'case "$*" in install*) echo "E: no network" >&2; exit 100;; esac');
      const { code, out, err } = await run([at("child.mjs")], { PRETEND_UID: "0" });
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(
        /E: no network\ncountersign: `apt-get install -y --no-install-recommends bubblewrap` failed: see its message above, mend it, and start again\.\n$/,
      );
    });

    test("a bubblewrap that is too old is named with the release, and not installed again", async () => {
      program("bwrap", "echo bubblewrap 0.6.1");
      program("apt-get", "exit 0");
      const { code, out, err } = await run([at("child.mjs")], { PRETEND_UID: "0" });
      expect([code, out]).toEqual([1, ""]);
      expect(err).toBe(
        `countersign: bubblewrap 0.6.1 is too old, 0.8 is needed (Debian 12 and Ubuntu 24.04 have it, this is ${distribution}): use a newer release, or build bubblewrap and put it first on your PATH.\n`,
      );
      expect(calls("apt-get")).toEqual([]);
    });

    test("a release that brings one that is too old is named after that one try", async () => {
      missing("bwrap");
      brings("0.4.1");
      const { code, err } = await run([at("child.mjs")], { PRETEND_UID: "0" });
      expect(code).toBe(1);
      expect(err).toContain(`countersign: bubblewrap 0.4.1 is too old, 0.8 is needed (Debian 12 and`);
      expect(calls("apt-get")).toHaveLength(2);
    });

    test("a browser is wanted by tests only", async () => {
      missing("chromium");
      expect((await run([at("child.mjs")])).code).toBe(0);
      program("sudo", "exit 1");
      program("apt-get", "exit 0");
      const { code, err } = await run([...tests, at("child.mjs")]);
      expect(code).toBe(1);
      expect(err).toMatch(
        /^countersign: chromium is missing\. Run `sudo apt-get install -y --no-install-recommends chromium` \(or your system's like\) and start again, or name a Chrome or Chromium: CHROMIUM_PATH=\/path\/to\/it npm test\.\n$/,
      );
    });

    test.each([
      ["none", "exit 0"],
      ["a name that others speak of", 'echo "chromium:"; echo "  Candidate: (none)"'],
      ["a stub of a snap", 'echo "chromium:"; echo "  Candidate: 2:1snap1-0ubuntu2"'],
    ])("where no chromium can be installed (%s), one can be named", async (_, policy) => {
      missing("chromium");
      program("apt-get", "exit 0");
      program("apt-cache", policy);
      const { code, err } = await run([...tests, at("child.mjs")], { PRETEND_UID: "0" });
      expect(code).toBe(1);
      expect(err).toBe(
        `countersign: installing chromium with apt-get install -y --no-install-recommends chromium
countersign: ${distribution} has no package chromium: install any Chrome or Chromium and name it: CHROMIUM_PATH=/path/to/it npm test\n`,
      );
      expect(calls("apt-get")).toEqual(["apt-get update -qq"]);
    });

    test("a chromium that cannot be installed after all is one line below apt's own, with the other way out", async () => {
      missing("chromium");
      program("apt-get", 'case "$*" in install*) echo "E: no network" >&2; exit 100;; esac');
      program("apt-cache", 'echo "  Candidate: 156.0-1"');
      const { code, err } = await run([...tests, at("child.mjs")], { PRETEND_UID: "0" });
      expect(code).toBe(1);
      expect(err).toMatch(
        /E: no network\ncountersign: `apt-get install -y --no-install-recommends chromium` failed: see its message above, mend it, and start again, or name a Chrome or Chromium: CHROMIUM_PATH=\/path\/to\/it npm test\.\n$/,
      );
    });

    test("what runs no further than its stub is no browser", async () => {
      missing("chromium");
      program("chromium-browser", 'echo "requires the chromium snap to be installed" >&2; exit 1');
      program("apt-get", "exit 0");
      program("apt-cache", 'echo "  Candidate: (none)"');
      const { code, err } = await run([...tests, at("child.mjs")], { PRETEND_UID: "0" });
      expect([code, err]).toEqual([1, expect.stringMatching(/has no package chromium: .*CHROMIUM_PATH=.*\n$/)]);
    });
  });

  describe("that may not make namespaces", () => {
    const refused = 'case "$*" in *--unshare-user*) echo "setting up uid map: Permission denied" >&2; exit 1;; esac';

    test("tests are told of the one line that lets them, and none is started", async () => {
      program("bwrap", `${refused}\necho bubblewrap 0.9.0`);
      expect(await run(["--for-tests", at("child.mjs")], { PRETEND_RESTRICTED: "1" })).toEqual({
        code: 1,
        out: "",
        err: "countersign: AppArmor forbids bubblewrap its namespaces: run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` and start again.\n",
      });
    });

    test.each([
      ["the product says so itself", [], "1", refused],
      ["a profile lets bubblewrap", ["--for-tests"], "1", ""],
      ["it is lifted", ["--for-tests"], "0", refused],
    ])("nothing is said where %s", async (_, how, restricted, does) => {
      program("bwrap", `${does}\necho bubblewrap 0.9.0`);
      const { code, out, err } = await run([...how, at("child.mjs")], { PRETEND_RESTRICTED: restricted });
      expect([code, out, err]).toEqual([0, "child\n", ""]);
    });
  });

  describe("what was found is what is used", () => {
    const tell = 'console.log(process.env.CHROMIUM_PATH ?? "-", process.env.BWRAP_PATH ?? "-", process.env.CI ?? "-");';
    beforeEach(() => child(tell));

    test("tests are told where the browser and bubblewrap are", async () => {
      missing("chromium");
      program("google-chrome", "exit 0");
      expect((await run(["--for-tests", at("child.mjs")])).out).toBe(
        `${at("bin", "google-chrome")} ${at("bin", "bwrap")} -\n`,
      );
    });

    test("a browser that was named goes before one that was found", async () => {
      program("my-chrome", "exit 0", at("elsewhere"));
      const env = { CHROMIUM_PATH: at("elsewhere", "my-chrome") };
      expect((await run(["--for-tests", at("child.mjs")], env)).out).toMatch(/elsewhere\/my-chrome /);
    });

    test("a browser that was named and does not run is said, and not replaced by another", async () => {
      const { code, err } = await run(["--for-tests", at("child.mjs")], { CHROMIUM_PATH: at("nowhere") });
      expect(code).toBe(1);
      expect(err).toBe(
        `countersign: CHROMIUM_PATH=${at("nowhere")} does not run: name a Chrome or Chromium, or unset it.\n`,
      );
    });

    test("the product is told where bubblewrap is, and of no browser", async () => {
      expect((await run([at("child.mjs")])).out).toBe(`- ${at("bin", "bwrap")} -\n`);
    });
  });
});
