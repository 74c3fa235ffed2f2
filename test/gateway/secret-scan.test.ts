import { expect, test } from "vitest";
import { patchScanner, secretIn } from "#gateway/git/secret-scan.ts";

// Put together here so that no scanner, ours included, finds a credential in this file.
const key = (...parts: string[]) => parts.join("");

test.each([
  ["aws-access-key", key("AKIA", "QWERTYUIOPASDFGH")],
  ["github-token", key("ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")],
  ["gitlab-token", key("glpat-", "abcdefghij0123456789")],
  ["slack-token", key("xoxb-", "123456789012-abcdefghij")],
  ["private-key", key("-----BEGIN RSA ", "PRIVATE KEY-----")],
  ["google-api-key", key("AIza", "SyA1234567890abcdefghijklmnopqrstuv")],
  ["stripe-key", key("sk_live_", "abcdefghijklmnopqrstuvwx")],
  ["npm-token", key("npm_", "abcdefghijklmnopqrstuvwxyz0123456789")],
  ["anthropic-key", key("sk-ant-", "api03-", "a".repeat(80))],
  ["openai-key", key("sk-proj-", "a".repeat(60))],
])("a %s is found in the middle of a line", (rule, value) => {
  expect(secretIn(`const token = "${value}";`)).toBe(rule);
});

test.each(["nothing to see", "AKIAIOSFODNN7EXAMPLE", "sk-short", "BEGIN PUBLIC KEY", ""])(
  "%j is no credential",
  (text) => {
    expect(secretIn(text)).toBeNull();
  },
);

test.each(["utf16le", "latin1"] as const)("a credential written as %s is found", (encoding) => {
  const value = Buffer.from(`k = ${key("AKIA", "QWERTYUIOPASDFGH")};`, encoding).toString("latin1");
  expect(secretIn(value)).toBe("aws-access-key");
});

test("a credential far into a very long line is found, also across the window's border", () => {
  const value = key("AKIA", "QWERTYUIOPASDFGH");
  for (const at of [0, 3_835, 4_080, 4_090, 100_000]) {
    expect(secretIn(`${" ".repeat(at)}${value} ${"y".repeat(5_000)}`)).toBe("aws-access-key");
  }
});

function scan(patch: string, size = patch.length) {
  const scanner = patchScanner();
  const bytes = Buffer.from(patch);
  for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
  return scanner.end();
}

const SECRET = key("AKIA", "QWERTYUIOPASDFGH");
const PATCH = `${"a".repeat(40)}
diff --git a/old.ini b/new.ini
--- a/old.ini
+++ b/new.ini
@@ -3,2 +3,3 @@
-gone ${SECRET}
--- a/looks-like-a-header
+++ b/also-looks-like-one
+key = ${SECRET}
+plain
@@ -40,0 +42 @@ context
+again ${SECRET}
`;

test("hits have the file and line of the new side, and removed lines do not count", () => {
  expect(scan(PATCH)).toEqual([
    { path: "new.ini", line: 4, rule: "aws-access-key" },
    { path: "new.ini", line: 42, rule: "aws-access-key" },
  ]);
});

test("chunk borders do not matter", () => {
  for (const size of [1, 7, 64]) expect(scan(PATCH, size)).toEqual(scan(PATCH));
});

test("a line without an end, in many small pieces, is read once and not again with each piece", () => {
  const scanner = patchScanner();
  scanner.push(Buffer.from("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+"));
  const piece = Buffer.alloc(1_024, "z");
  for (let i = 0; i < 16 * 1_024; i += 1) scanner.push(piece);
  for (const half of [SECRET.slice(0, 9), SECRET.slice(9)])
    scanner.push(Buffer.from(half === SECRET.slice(0, 9) ? ` ${half}` : half));
  scanner.push(Buffer.from("\n"));
  expect(scanner.end()).toEqual([{ path: "x", line: 1, rule: "aws-access-key" }]);
});

test("a credential in a file's name is found, also where the file is empty, and not repeated", () => {
  expect(scan(`diff --git a/${SECRET}.txt b/${SECRET}.txt\nnew file mode 100644\n`)).toEqual([
    { path: "(the name of a file)", line: 0, rule: "aws-access-key" },
  ]);
});
