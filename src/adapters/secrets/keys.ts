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
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
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
  /** A random text that stays the same for this installation. */
  text(name: string): Secret;
}

/** Opens the folder, making what is missing. Throws when a key file can be read by others, with the line that mends it. */
export function openKeys(folder: string): Keys {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const receiptKey = createPrivateKey(kept(folder, "receipts.pem", newSigningKey));
  const tokenKey = kept(folder, "tokens.key", () => randomBytes(32).toString("hex"));
  return {
    receipts: {
      publicKey: publicPem(receiptKey),
      sign: (bytes) => sign(null, bytes, receiptKey),
    },
    tokenFor: (sandboxKey) => `cst_${createHmac("sha256", tokenKey).update(sandboxKey).digest("base64url")}`,
    text: (name) =>
      new Secret(
        name,
        kept(folder, `${name}.txt`, () => randomBytes(24).toString("base64url")),
      ),
  };
}

const newSigningKey = (): string =>
  generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

const publicPem = (key: KeyObject): string => createPublicKey(key).export({ type: "spki", format: "pem" }).toString();

/** Reads a key, or makes it: written whole under another name first, so that two processes cannot keep different ones. */
function kept(folder: string, name: string, make: () => string): string {
  const file = path.join(folder, name);
  const there = read(file);
  if (there !== null) return there;
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const handle = openSync(draft, "wx", 0o600);
  try {
    writeSync(handle, make());
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
  const kept = read(file);
  if (kept === null) throw new Error(`${file} was made and is gone`);
  return kept;
}

function read(file: string): string | null {
  try {
    const mode = statSync(file).mode & 0o777;
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new Error(`${file} can be read by others (mode ${mode.toString(8)}): run \`chmod 600 ${file}\``);
    }
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
