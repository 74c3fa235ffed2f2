import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { Secret } from "#ports/secret.ts";

/** Keys of one installation. They are made on first use, readable by their owner alone, and never leave the folder. */
export interface Keys {
  /** Signs receipts. `publicKey` is PEM (SPKI). */
  readonly receipts: { readonly publicKey: string; sign(bytes: Uint8Array): Uint8Array };
  /** The token of a sandbox: the same key gives the same token, so it need not be stored. */
  tokenFor(sandboxKey: string): string;
  /** HMAC-SHA256, base64url, under a key of its own that stays the same for this installation. */
  macOf(name: string): (text: string) => string;
  /** A random text that stays the same for this installation. */
  text(name: string): Secret;
}

/** A key file that somebody has to mend; the message says which and how. */
export class KeyProblem extends Error {
  override readonly name = "KeyProblem";
}

/** A file of the folder: how it is made, and whether a content is one. Half of a token would be half as hard to guess. */
interface Kind {
  readonly make: () => string;
  readonly fits: (content: string) => boolean;
}
const SIGNING: Kind = { make: newSigningKey, fits: isSigningKey };
const TOKENS: Kind = { make: () => randomBytes(32).toString("hex"), fits: (text) => /^[0-9a-f]{64}$/.test(text) };
const TEXT: Kind = {
  make: () => randomBytes(24).toString("base64url"),
  fits: (text) => /^[A-Za-z0-9_-]{32}$/.test(text),
};

const KINDS: Readonly<Record<string, Kind>> = { ".pem": SIGNING, ".key": TOKENS, ".txt": TEXT };

/**
 * Looks at every key of the folder, also at those that are asked for later, and makes nothing. Throws `KeyProblem` when
 * one can be read by others or is damaged, with what mends it.
 */
export function examineKeys(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const kind = KINDS[path.extname(name)];
    if (kind !== undefined) read(path.join(folder, name), kind);
  }
}

/** Opens the folder, making what is missing. Throws as `examineKeys` does. */
export function openKeys(folder: string): Keys {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  examineKeys(folder);
  const receiptKey = createPrivateKey(kept(folder, "receipts.pem", SIGNING));
  const tokenKey = kept(folder, "tokens.key", TOKENS);
  return {
    receipts: {
      publicKey: publicPem(receiptKey),
      sign: (bytes) => sign(null, bytes, receiptKey),
    },
    tokenFor: (sandboxKey) => `cst_${createHmac("sha256", tokenKey).update(sandboxKey).digest("base64url")}`,
    macOf(name) {
      const key = kept(folder, `${name}.key`, TOKENS);
      return (text) => createHmac("sha256", key).update(text).digest("base64url");
    },
    text: (name) => new Secret(name, kept(folder, `${name}.txt`, TEXT)),
  };
}

function newSigningKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function isSigningKey(content: string): boolean {
  try {
    return createPrivateKey(content).asymmetricKeyType === "ed25519";
  } catch {
    return false;
  }
}

const publicPem = (key: KeyObject): string => createPublicKey(key).export({ type: "spki", format: "pem" }).toString();

/** Reads a key, or makes it: written whole under another name first, so that two processes cannot keep different ones. */
function kept(folder: string, name: string, kind: Kind): string {
  const file = path.join(folder, name);
  const there = read(file, kind);
  if (there !== null) return there;
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const handle = openSync(draft, "wx", 0o600);
  try {
    writeSync(handle, kind.make());
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
  const kept = read(file, kind);
  if (kept === null) throw new Error(`${file} was made and is gone`);
  return kept;
}

function read(file: string, kind: Kind): string | null {
  let content: string;
  try {
    const mode = statSync(file).mode & 0o777;
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new KeyProblem(`${file} can be read by others (mode ${mode.toString(8)}): run \`chmod 600 ${file}\``);
    }
    content = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  if (kind.fits(content)) return content;
  throw new KeyProblem(`${file} is damaged: restore it from a backup, or move it away and a new one is made`);
}
