import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { Secret } from "#ports/secret.ts";

/** AES-256-GCM as NIST SP 800-38D recommends it: a random nonce of 96 bits for each message, a tag of 128. */
const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Begins every sealed text; another one says how another form is read. */
const FORM = "g1";

/** Keeps secrets where others may read: who has the sealed text and not the key has nothing. */
export interface Seal {
  /** Of the key that seals from now on. */
  readonly keyId: string;
  /** `of`: whose it is and what for; it opens for the same alone. */
  seal(secret: Secret, of: string): string;
  /** Throws `SealBroken`. `name`: what the secret is called from then on. */
  open(sealed: string, o: { readonly keyId: string; readonly of: string; readonly name: string }): Secret;
}

/** "unknown_key": none of ours has that id. "tampered": it was changed, or moved from where it belongs. */
export class SealBroken extends Error {
  override readonly name = "SealBroken";
  readonly code: "unknown_key" | "tampered";

  constructor(code: SealBroken["code"], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Keys are 32 bytes in base64. The first seals; the others open what they have sealed. Throws on one of another length. */
export function openSeal([first, ...others]: readonly [Secret, ...Secret[]]): Seal {
  const sealing = keyOf(first);
  const keyId = idOf(sealing);
  const keys = new Map([sealing, ...others.map(keyOf)].map((key) => [idOf(key), key]));
  return {
    keyId,
    seal(secret, of) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, sealing, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(of));
      const hidden = Buffer.concat([cipher.update(secret.reveal(), "utf8"), cipher.final()]);
      return [FORM, ...[nonce, cipher.getAuthTag(), hidden].map((part) => part.toString("base64url"))].join(".");
    },
    open(sealed, { keyId: by, of, name }) {
      const key = keys.get(by);
      if (key === undefined)
        throw new SealBroken("unknown_key", `${of} was sealed by the key ${by}, which is not here`);
      const [form, nonce = "", tag = "", hidden = "", ...more] = sealed.split(".");
      try {
        if (form !== FORM || more.length > 0) throw new Error("it has another form");
        const opener = createDecipheriv(ALGORITHM, key, Buffer.from(nonce, "base64url"), { authTagLength: TAG_BYTES });
        opener.setAAD(Buffer.from(of));
        opener.setAuthTag(Buffer.from(tag, "base64url"));
        const text = Buffer.concat([opener.update(Buffer.from(hidden, "base64url")), opener.final()]);
        return new Secret(name, text.toString("utf8"));
      } catch (cause) {
        throw new SealBroken("tampered", `${of} is not what was sealed: it was changed, or belongs elsewhere`, {
          cause,
        });
      }
    },
  };
}

function keyOf(secret: Secret): Buffer {
  const key = Buffer.from(secret.reveal(), "base64");
  if (key.length !== KEY_BYTES) throw new Error(`${secret.name} is not ${KEY_BYTES} bytes in base64`);
  return key;
}

/** Says which key it is, and nothing about it. */
const idOf = (key: Buffer): string =>
  createHash("sha256").update("countersign seal\0").update(key).digest("hex").slice(0, 12);
