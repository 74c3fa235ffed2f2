import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import * as der from "./der.ts";
import { replaceFile } from "./durable-file.ts";

/** The installation's own certificate authority. Its key never leaves the gateway's folder. */
export interface CertificateAuthority {
  /** PEM, for the sandboxes' trust stores. */
  readonly certificate: string;
  /** A server context for `host`: one leaf each, kept until half its life is over. */
  contextFor(host: string): SecureContext;
}

const DAY_MS = 86_400_000;
const LEAF_MS = DAY_MS;
const CA_MS = 365 * DAY_MS;
/** Clocks in sandboxes may be a little behind. */
const SLACK_MS = 3_600_000;

const ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"));
const name = (text: string) => der.sequence(der.set(der.sequence(der.oid("2.5.4.3"), der.utf8(text))));
const extension = (id: string, critical: boolean, value: der.Der) =>
  der.sequence(der.oid(id), ...(critical ? [der.boolean(true)] : []), der.octets(value));
const keyId = (key: Buffer) => createHash("sha256").update(key).digest().subarray(0, 20);

/** Reads the CA in `folder`, or makes one: P-256, path length 0, one year; a new one in the last month. */
export async function openAuthority(folder: string, now: () => number): Promise<CertificateAuthority> {
  const file = path.join(folder, "ca.pem");
  const { certificate, key } = (await readAuthority(file, now())) ?? (await makeAuthority(file, now()));
  const issuer = createPublicKey(key).export({ type: "spki", format: "der" });
  const leafKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leafPem = leafKeys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const leafSpki = leafKeys.publicKey.export({ type: "spki", format: "der" });
  const contexts = new Map<string, { context: SecureContext; madeAt: number }>();

  return {
    certificate,
    contextFor(host) {
      const kept = contexts.get(host);
      if (kept && now() - kept.madeAt < LEAF_MS / 2) return kept.context;
      const leaf = certificateFor({
        subject: host.length <= 64 ? host : "countersign",
        issuer: commonName(certificate),
        spki: leafSpki,
        from: now() - SLACK_MS,
        until: now() + LEAF_MS,
        key,
        extensions: [
          extension("2.5.29.15", true, der.bits(Buffer.from([0x80]), 7)),
          extension("2.5.29.37", false, der.sequence(der.oid("1.3.6.1.5.5.7.3.1"))),
          extension("2.5.29.17", true, der.sequence(der.implicit(2, Buffer.from(host, "latin1")))),
          extension("2.5.29.35", false, der.sequence(der.implicit(0, keyId(issuer)))),
        ],
      });
      const context = createSecureContext({ cert: leaf + certificate, key: leafPem, minVersion: "TLSv1.2" });
      contexts.set(host, { context, madeAt: now() });
      return context;
    },
  };
}

async function readAuthority(file: string, now: number): Promise<{ certificate: string; key: KeyObject } | null> {
  let pem: string;
  try {
    pem = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/.exec(pem)?.[0];
  if (!certificate) throw new Error(`${file} holds no certificate`);
  if (new X509Certificate(certificate).validToDate.getTime() - now < 30 * DAY_MS) return null;
  return { certificate, key: createPrivateKey(pem) };
}

async function makeAuthority(file: string, now: number): Promise<{ certificate: string; key: KeyObject }> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const subject = `Countersign gateway ${randomBytes(4).toString("hex")}`;
  const certificate = certificateFor({
    subject,
    issuer: subject,
    spki,
    from: now - SLACK_MS,
    until: now + CA_MS,
    key: privateKey,
    extensions: [
      extension("2.5.29.19", true, der.sequence(der.boolean(true), der.integer(Buffer.from([0])))),
      // keyCertSign only.
      extension("2.5.29.15", true, der.bits(Buffer.from([0x04]), 2)),
      extension("2.5.29.14", false, der.octets(keyId(spki))),
    ],
  });
  await replaceFile(file, certificate + privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  return { certificate, key: privateKey };
}

/** An X.509 v3 certificate (RFC 5280 §4.1) signed with ECDSA over SHA-256, as PEM. */
function certificateFor(o: {
  subject: string;
  issuer: string;
  spki: Buffer;
  from: number;
  until: number;
  key: KeyObject;
  extensions: readonly der.Der[];
}): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(serial),
    ECDSA_SHA256,
    name(o.issuer),
    der.sequence(der.time(new Date(o.from)), der.time(new Date(o.until))),
    name(o.subject),
    o.spki,
    der.explicit(3, der.sequence(...o.extensions)),
  );
  const signature = sign("sha256", body, { key: o.key, dsaEncoding: "der" });
  const base64 = der.sequence(body, ECDSA_SHA256, der.bits(signature)).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join("\n") ?? ""}\n-----END CERTIFICATE-----\n`;
}

const commonName = (pem: string): string => /CN=(.+)/.exec(new X509Certificate(pem).subject)?.[1] ?? "";
