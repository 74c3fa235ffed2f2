import { createHash, createPublicKey, verify } from "node:crypto";
import { z } from "zod";
import { canonical } from "#policy/digest.ts";
import type { RunFacts } from "./facts.ts";

/** Signs bytes with the installation's Ed25519 key. The key itself stays with the adapter. */
export interface Signer {
  /** "ed25519:" and the first 16 hex digits of the SHA-256 of the public key (SPKI, DER). */
  readonly keyId: string;
  /** PEM. */
  readonly publicKey: string;
  sign(bytes: Uint8Array): Uint8Array;
}

export const PREDICATE_TYPE = "https://countersign.dev/receipt/v1";
const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** What a receipt says: an in-toto statement (in-toto.io/Statement/v1) about one commit. */
export interface Receipt {
  readonly _type: "https://in-toto.io/Statement/v1";
  readonly subject: readonly { readonly name: string; readonly digest: { readonly gitCommit: string } }[];
  readonly predicateType: typeof PREDICATE_TYPE;
  readonly predicate: Readonly<Record<string, unknown>>;
}

/** A receipt is a fold of the run's events: replay them and you get the same receipt. */
export function receipt(
  run: { readonly id: string; readonly number: number; readonly branch: string },
  facts: RunFacts,
): Receipt {
  const commit = facts.work?.head;
  if (commit === undefined) throw new Error("a run without a commit has no receipt");
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: `${facts.request.repo}@${run.branch}`, digest: { gitCommit: commit } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      run: { id: run.id, number: run.number },
      request: {
        by: facts.request.by.name,
        text: facts.request.text,
        at: facts.request.at.toISOString(),
        team: facts.request.team,
        surface: facts.request.surface,
        because: facts.request.because,
      },
      authors: facts.authors.map((author) => author.name),
      ...(facts.accounts.length === 0
        ? {}
        : { accounts: facts.accounts.map(({ person, accounts }) => ({ author: person.name, of: accounts })) }),
      policy: facts.request.policy,
      agent: { name: facts.request.agent, model: facts.request.model },
      base: facts.work?.base,
      files: facts.work?.files,
      decisions: facts.decisions.map(({ about, subject, outcome, rules }) => ({
        about,
        subject,
        outcome,
        rules: rules.map((rule) => rule.at),
      })),
      approvals: facts.approvals.map((approval) => ({
        gate: approval.gate,
        digest: approval.digest,
        status: approval.status,
        from: approval.asks.map((ask) => ask.from),
        ...othersOf(approval),
        votes: approval.votes.map((vote) => ({ by: vote.by.name, choice: vote.choice, at: vote.at.toISOString() })),
        refused: approval.refused.map((click) => ({ by: click.by.name, code: click.code })),
      })),
      checks: facts.checks.map(({ name, command, verdict, base, head }) => ({
        name,
        command,
        verdict,
        base: base?.exitCode ?? null,
        head: head?.exitCode ?? null,
      })),
      scans: facts.scans.map(({ name, findings }) => ({ name, findings: findings.length })),
      network: facts.hosts.map(({ host, port, allowed, refused, rule }) => ({ host, port, allowed, refused, rule })),
      spent: { ...facts.spent, usd: Math.round(facts.spent.usd * 1e6) / 1e6 },
      log: { events: facts.count, head: facts.head },
    },
  };
}

/** A DSSE envelope (github.com/secure-systems-lab/dsse) with the public key beside it, so that one file is enough. */
export const Envelope = z.strictObject({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: z.base64(),
  signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.base64() })).min(1),
  publicKey: z.string(),
});
export type Envelope = z.infer<typeof Envelope>;

/** Who could answer beside the groups that were asked at first; nothing where nobody could. */
function othersOf({ asks, escalated, delegated }: RunFacts["approvals"][number]): Readonly<Record<string, unknown>> {
  const owners = [...new Set(asks.flatMap((ask) => ask.owners ?? []))];
  return {
    ...(owners.length === 0 ? {} : { owners }),
    ...(escalated.length === 0 ? {} : { escalated: escalated.map(({ to }) => to) }),
    ...(delegated.length === 0 ? {} : { delegated: delegated.map(({ by, to }) => ({ by: by.name, to: to.name })) }),
  };
}

/** DSSE's pre-authentication encoding: what is signed binds the type and both lengths. */
function encoded(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}

export function sign(statement: Receipt, signer: Signer): Envelope {
  const payload = Buffer.from(canonical(statement));
  const signature = signer.sign(encoded(PAYLOAD_TYPE, payload));
  return {
    payloadType: PAYLOAD_TYPE,
    payload: payload.toString("base64"),
    signatures: [{ keyid: signer.keyId, sig: Buffer.from(signature).toString("base64") }],
    publicKey: signer.publicKey,
  };
}

/** "ed25519:" and the first 16 hex digits of the SHA-256 of the key: short enough to read aloud. */
export function keyIdOf(publicKey: string): string {
  const der = createPublicKey(publicKey).export({ type: "spki", format: "der" });
  return `ed25519:${createHash("sha256").update(der).digest("hex").slice(0, 16)}`;
}

export type Verified =
  | { readonly ok: true; readonly receipt: Receipt; readonly keyId: string }
  | { readonly ok: false; readonly problem: string };

/**
 * Checks an envelope offline. The key travels inside, so a good signature proves that nothing was changed since that
 * key signed it; whether the key is the installation's is for the reader to compare by `keyId`.
 */
export function verifyEnvelope(text: string): Verified {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { ok: false, problem: "this file is not JSON: give the receipt's .json file" };
  }
  const envelope = Envelope.safeParse(parsed);
  if (!envelope.success) return { ok: false, problem: "this JSON is not a receipt: it is not a DSSE envelope" };
  const { payload, payloadType, signatures, publicKey } = envelope.data;
  const bytes = Buffer.from(payload, "base64");
  let keyId: string;
  try {
    keyId = keyIdOf(publicKey);
  } catch {
    return { ok: false, problem: "the public key in this receipt cannot be read" };
  }
  const mine = signatures.find((signature) => signature.keyid === keyId);
  if (!mine) return { ok: false, problem: `no signature in this receipt is by its key ${keyId}` };
  if (!verify(null, encoded(payloadType, bytes), publicKey, Buffer.from(mine.sig, "base64"))) {
    return { ok: false, problem: "the signature does not hold: this receipt was changed after it was signed" };
  }
  const statement = JSON.parse(bytes.toString("utf8")) as Receipt;
  if (statement.predicateType !== PREDICATE_TYPE) {
    return { ok: false, problem: `signed, but not a Countersign receipt: ${String(statement.predicateType)}` };
  }
  return { ok: true, receipt: statement, keyId };
}
