import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openSeal, SealBroken } from "#adapters/secrets/seal.ts";
import { Secret } from "#ports/secret.ts";

const key = () => new Secret("tokens_key", randomBytes(32).toString("base64"));
const [first, second] = [key(), key()];
const TOKEN = new Secret("slack_bot_token", "xoxb-very-secret");
const MINE = { of: "slack/org/T0ACME/access", name: "slack_bot_token" };

/** Why it does not open; "opened" when it does. */
function why(open: () => Secret): string {
  try {
    open();
    return "opened";
  } catch (error) {
    return error instanceof SealBroken ? error.code : String(error);
  }
}

test("what is sealed opens for its own place, and is never twice the same", () => {
  const seal = openSeal([first]);
  const [one, other] = [seal.seal(TOKEN, MINE.of), seal.seal(TOKEN, MINE.of)];
  expect(one).not.toBe(other);
  expect(one).not.toContain("very-secret");
  for (const sealed of [one, other])
    expect(seal.open(sealed, { ...MINE, keyId: seal.keyId }).reveal()).toBe(TOKEN.reveal());
});

test("another workspace, another purpose and another organisation have no use for it", () => {
  const seal = openSeal([first]);
  const sealed = seal.seal(TOKEN, MINE.of);
  for (const of of ["slack/org/T0BETA/access", "slack/org/T0ACME/refresh", "slack/other/T0ACME/access"])
    expect(
      why(() => seal.open(sealed, { ...MINE, of, keyId: seal.keyId })),
      of,
    ).toBe("tampered");
});

test("a text of which any one character was changed does not open", () => {
  const seal = openSeal([first]);
  const sealed = seal.seal(TOKEN, MINE.of);
  for (const at of sealed.split("").keys()) {
    const swapped = sealed[at] === "A" ? "Q" : "A";
    const changed = sealed.slice(0, at) + swapped + sealed.slice(at + 1);
    expect(
      why(() => seal.open(changed, { ...MINE, keyId: seal.keyId })),
      `character ${at}`,
    ).toBe("tampered");
  }
  for (const broken of ["", "g1", "g1...", `${sealed}.`, sealed.slice(0, -4), sealed.slice(3)])
    expect(
      why(() => seal.open(broken, { ...MINE, keyId: seal.keyId })),
      broken,
    ).toBe("tampered");
});

test("a shorter tag is none", () => {
  const seal = openSeal([first]);
  const [form, nonce, tag = "", hidden] = seal.seal(TOKEN, MINE.of).split(".");
  const short = Buffer.from(tag, "base64url").subarray(0, 4).toString("base64url");
  expect(why(() => seal.open([form, nonce, short, hidden].join("."), { ...MINE, keyId: seal.keyId }))).toBe("tampered");
});

test("a new key seals, and the old one opens what it has sealed while it is there", () => {
  const before = openSeal([first]);
  const sealed = before.seal(TOKEN, MINE.of);
  const both = openSeal([second, first]);
  expect(both.keyId).not.toBe(before.keyId);
  expect(both.open(sealed, { ...MINE, keyId: before.keyId }).reveal()).toBe(TOKEN.reveal());
  expect(why(() => openSeal([second]).open(sealed, { ...MINE, keyId: before.keyId }))).toBe("unknown_key");
  // Whoever changes the key's name in the row gains nothing.
  expect(why(() => both.open(sealed, { ...MINE, keyId: both.keyId }))).toBe("tampered");
});

test("a key of another length is refused, and says nothing of itself", () => {
  const short = new Secret("tokens_key", Buffer.from("short-and-secret").toString("base64"));
  expect(() => openSeal([short])).toThrow(/^tokens_key is not 32 bytes in base64$/);
});
