import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openKeys } from "#adapters/secrets/keys.ts";
import { keyIdOf, PREDICATE_TYPE, sign } from "#runs/receipt.ts";
import { command } from "#test/command.ts";

/** `countersign receipt verify …` as a stranger runs it: a file, no server, no settings. */
const COMMIT = "a".repeat(40);
let folder = "";
let keyId = "";
let pem = "";
const at = (name: string) => path.join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "countersign-receipt-"));
  const { receipts } = openKeys(at("keys"));
  pem = receipts.publicKey;
  keyId = keyIdOf(pem);
  const envelope = sign(
    {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "acme/shop@agent/x", digest: { gitCommit: COMMIT } }],
      predicateType: PREDICATE_TYPE,
      predicate: { run: { id: "r1", number: 7 } },
    },
    { keyId, ...receipts },
  );
  const payload = Buffer.from(envelope.payload, "base64").toString().replace("acme/shop", "acme/ship");
  writeFileSync(at("good.json"), JSON.stringify(envelope));
  writeFileSync(at("tampered.json"), JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString("base64") }));
  writeFileSync(at("prose.txt"), "a receipt, honestly\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Case {
  readonly args: () => readonly string[];
  readonly says: () => string | RegExp;
  readonly code: 0 | 1 | 2;
}

const CASES: Record<string, Case> = {
  "a receipt is valid, and says whose key to compare": {
    args: () => [at("good.json")],
    says: () =>
      `valid: acme/shop@agent/x at ${COMMIT}\nsigned by ${keyId}: compare it with the installation's own, or pass --key\n`,
    code: 0,
  },
  "with the installation's key it is valid without a question": {
    args: () => [at("good.json"), "--key", keyId],
    says: () => `valid: acme/shop@agent/x at ${COMMIT}\nsigned by ${keyId}\n`,
    code: 0,
  },
  "the key may be the public key itself": {
    args: () => [at("good.json"), `--key=${pem}`],
    says: () => /signed by ed25519:[0-9a-f]{16}\n$/,
    code: 0,
  },
  "another key's receipt is not valid": {
    args: () => [at("good.json"), "--key", "ed25519:0123456789abcdef"],
    says: () => `not valid: signed by ${keyId}, not by ed25519:0123456789abcdef\n`,
    code: 1,
  },
  "a changed receipt is not valid": {
    args: () => [at("tampered.json")],
    says: () => /^not valid: [^\n]+\n$/,
    code: 1,
  },
  "what is no receipt is said to be none": {
    args: () => [at("prose.txt")],
    says: () => /^not valid: [^\n]*not JSON[^\n]*\n$/,
    code: 1,
  },
  "a file that is not there": {
    args: () => [at("none.json")],
    says: () => `countersign: there is no file ${at("none.json")}\n`,
    code: 1,
  },
  "a folder": {
    args: () => [folder],
    says: () => `countersign: ${folder} is a folder: name the receipt in it\n`,
    code: 1,
  },
  "a key that is neither an id nor a PEM text": {
    args: () => [at("good.json"), "--key", "my-key"],
    says: () => 'countersign: --key takes a key\'s id (ed25519:…) or a public key in PEM, not "my-key"\n',
    code: 2,
  },
  "a PEM text that is cut short": {
    args: () => [at("good.json"), "--key=-----BEGIN PUBLIC KEY-----"],
    says: () => /^countersign: --key takes a key's id \(ed25519:…\) or a public key in PEM, not /,
    code: 2,
  },
  "no file at all": {
    args: () => [],
    says: () => "countersign: name the receipt: countersign receipt verify FILE\n",
    code: 2,
  },
};

for (const [sentence, { args, says, code }] of Object.entries(CASES)) {
  test(`receipt verify: ${sentence}`, async () => {
    const run = command(["receipt", "verify", ...args()]);
    expect(await run.ended, run.words()).toBe(code);
    const expected = says();
    if (typeof expected === "string") expect(run.words()).toBe(expected);
    else expect(run.words()).toMatch(expected);
    expect(run.words()).not.toMatch(/^\s+at /m);
  });
}
