import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { secretFiles } from "#adapters/secrets/files.ts";
import { Secret } from "#ports/secret.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "cs-secrets-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function keep(name: string, value: string, mode = 0o600): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), value);
  chmodSync(path.join(folder, name), mode);
}
const open = (given: Record<string, string> = {}) =>
  secretFiles({
    folder,
    given: new Map(Object.entries(given).map(([name, value]) => [name, new Secret(name, value)])),
  });

test("a secret is the one line of its file, also in a folder", async () => {
  keep("cms-read", "REAL-VALUE\n");
  keep("data/warehouse", "OTHER-VALUE");
  const secrets = open();
  expect((await secrets.get("cms-read"))?.reveal()).toBe("REAL-VALUE");
  expect((await secrets.get("data/warehouse"))?.reveal()).toBe("OTHER-VALUE");
  expect(secrets.names()).toEqual(["cms-read", "data/warehouse"]);
});

test("a file that is changed holds from the next use on", async () => {
  keep("cms-read", "BEFORE-IT");
  const secrets = open();
  await secrets.get("cms-read");
  keep("cms-read", "AFTER-IT");
  expect((await secrets.get("cms-read"))?.reveal()).toBe("AFTER-IT");
});

test("what the environment brought comes before a file of the same name", async () => {
  keep("cms-read", "OF-THE-FILE");
  expect((await open({ "cms-read": "OF-THE-ENVIRONMENT" }).get("cms-read"))?.reveal()).toBe("OF-THE-ENVIRONMENT");
});

test.each([
  ["it can be read by others", "0640", "V", 0o640, /chmod 600/],
  ["it has two lines", "lines", "a\nb", 0o600, /more than one line/],
  ["it is empty", "empty", "\n", 0o600, /is empty/],
  ["it is no credential but a file", "large", "x".repeat(20_000), 0o600, /larger than/],
])("a secret is refused with the line that mends it when %s", async (_, name, value, mode, message) => {
  keep(`a-${name}`, value, mode);
  const secrets = open();
  const error = await secrets.get(`a-${name}`).catch((cause: unknown) => cause);
  expect(String(error)).toMatch(message);
  if (value.length > 1) expect(String(error)).not.toContain(value);
  expect(secrets.names()).toEqual([`a-${name}`]);
  expect(secrets.all()).toEqual([]);
});

test.each(["../keys/start", "/etc/passwd", "a/../../b", "A", "a b", ".hidden", "a//b", ""])(
  "%j names no secret, whatever lies there",
  async (name) => {
    expect(await open().get(name)).toBeNull();
  },
);

test("without a folder there are no secrets, and a value prints as its name", async () => {
  rmSync(folder, { recursive: true });
  expect(open().names()).toEqual([]);
  expect(await open().get("cms-read")).toBeNull();
  const secret = await open({ "cms-read": "REAL-VALUE" }).get("cms-read");
  expect([String(secret), JSON.stringify(secret), inspect(secret)].join(" ")).not.toContain("REAL-VALUE");
});
