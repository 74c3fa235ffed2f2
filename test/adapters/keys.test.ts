import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openKeys } from "#adapters/secrets/keys.ts";
import type { RunEvent } from "#runs/event.ts";
import { facts } from "#runs/facts.ts";
import { keyIdOf, receipt, type Signer, sign, verifyEnvelope } from "#runs/receipt.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keys-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function signer(): Signer {
  const { receipts } = openKeys(folder);
  return { keyId: keyIdOf(receipts.publicKey), ...receipts };
}

const EVENTS: RunEvent[] = [
  {
    kind: "run.requested" as const,
    by: { id: "p1", name: "Ana" },
    text: "fix it",
    surface: "slack",
    channel: "C1",
    thread: "1.1",
    team: "shop",
    repo: "acme/shop",
    because: "org.yaml:20:5",
    policy: { commit: "abc", digest: "sha256:00" },
    agent: "demo",
    model: "scripted",
  },
  { kind: "work.committed" as const, base: "b".repeat(40), head: "a".repeat(40), files: [] },
].map((body, index) => ({
  runId: "r1",
  seq: index + 1,
  at: new Date(1_700_000_000_000 + index),
  hash: `h${index}`,
  body,
}));

test("keys are the same after a restart and are readable by their owner alone", () => {
  const first = openKeys(folder);
  const again = openKeys(folder);
  expect(again.receipts.publicKey).toBe(first.receipts.publicKey);
  expect(again.tokenFor("sbx-1")).toBe(first.tokenFor("sbx-1"));
  expect(again.tokenFor("sbx-2")).not.toBe(first.tokenFor("sbx-1"));
  expect(again.text("start").reveal()).toBe(first.text("start").reveal());
  expect(statSync(path.join(folder, "receipts.pem")).mode & 0o777).toBe(0o600);
});

test("a key that others can read is refused with the line that mends it", () => {
  openKeys(folder);
  chmodSync(path.join(folder, "receipts.pem"), 0o644);
  expect(() => openKeys(folder)).toThrow(/chmod 600 .*receipts\.pem/);
});

test("a key file that is no key is an error, not a new key", () => {
  writeFileSync(path.join(folder, "receipts.pem"), "nonsense", { mode: 0o600 });
  expect(() => openKeys(folder)).toThrow(/receipts\.pem is damaged: restore it/);
});

test("a token that was cut off is refused when the folder is opened, before anybody could guess it", () => {
  const { text } = openKeys(folder);
  text("start");
  for (const content of ["", "short", `${"a".repeat(31)}\n`]) {
    writeFileSync(path.join(folder, "start.txt"), content);
    expect(() => openKeys(folder), JSON.stringify(content)).toThrow(/start\.txt is damaged/);
    expect(() => text("start")).toThrow(/start\.txt is damaged/);
  }
});

test("a signed receipt verifies offline and names its key and its commit", () => {
  const text = JSON.stringify(sign(receipt({ id: "r1", number: 7, branch: "agent/x" }, facts(EVENTS)), signer()));
  const verified = verifyEnvelope(text);
  expect(verified).toMatchObject({ ok: true, keyId: signer().keyId });
  expect(verified.ok && verified.receipt.subject[0]?.digest.gitCommit).toBe("a".repeat(40));
});

test("the same events give the same receipt, byte for byte", () => {
  const once = () => JSON.stringify(sign(receipt({ id: "r1", number: 7, branch: "agent/x" }, facts(EVENTS)), signer()));
  expect(once()).toBe(once());
});

test("any changed byte of the payload breaks the signature", () => {
  const envelope = sign(receipt({ id: "r1", number: 7, branch: "agent/x" }, facts(EVENTS)), signer());
  const payload = Buffer.from(envelope.payload, "base64");
  for (const at of [0, 10, payload.length >> 1, payload.length - 1]) {
    const changed = Buffer.from(payload);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(verifyEnvelope(JSON.stringify({ ...envelope, payload: changed.toString("base64") })).ok, `byte ${at}`).toBe(
      false,
    );
  }
});

test("a receipt re-signed by another key verifies only under that key's name", () => {
  const envelope = sign(receipt({ id: "r1", number: 7, branch: "agent/x" }, facts(EVENTS)), signer());
  const other = openKeys(path.join(folder, "other")).receipts.publicKey;
  expect(verifyEnvelope(JSON.stringify({ ...envelope, publicKey: other }))).toMatchObject({ ok: false });
});

test("what is no receipt is refused in words", () => {
  expect(verifyEnvelope("not json")).toMatchObject({ ok: false, problem: expect.stringContaining("not JSON") });
  expect(verifyEnvelope("{}")).toMatchObject({ ok: false, problem: expect.stringContaining("not a receipt") });
});
