/** A known value and the name it is shown by. */
export interface Known {
  readonly name: string;
  readonly value: string;
}

export interface Redactor {
  /** Replaces every known value, in the forms it is likely to be printed in, by "[secret name]". */
  (text: string): string;
  /** Whether the end of `text` may be the beginning of a known value: hold it until more has come. */
  open(text: string): boolean;
}

/** Shapes of credentials that are never right in a record, whoever they belong to. */
const SHAPES: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: "sandbox-token", pattern: /\bcst_[A-Za-z0-9_-]{20,}/g },
  { name: "github-token", pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})/g },
  { name: "slack-token", pattern: /\bxox[abeprs]-[A-Za-z0-9-]{10,}/g },
  { name: "model-key", pattern: /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}/g },
  { name: "aws-key", pattern: /\bAKIA[0-9A-Z]{16}\b/g },
  { name: "linear-token", pattern: /\blin_(?:api|oauth|wh)_[A-Za-z0-9]{20,}/g },
  { name: "link-code", pattern: /\bcslink_[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9_-]+)?/g },
  { name: "private-key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g },
];

/** Shorter values would redact ordinary words. */
const SHORTEST = 8;

/** Values shorter than 8 characters are left alone: replacing them would eat ordinary words. */
export function redactor(known: readonly Known[]): Redactor {
  const forms = known
    .filter(({ value }) => value.length >= SHORTEST)
    .flatMap(({ name, value }) =>
      [
        ...new Set([
          value,
          encodeURIComponent(value),
          // As it stands inside a line of JSON.
          JSON.stringify(value).slice(1, -1),
          Buffer.from(value).toString("base64"),
          Buffer.from(value).toString("hex"),
        ]),
      ].map((form) => ({ form, mark: `[secret ${name}]` })),
    )
    .sort((a, b) => b.form.length - a.form.length);
  const redact = (text: string): string => {
    let out = text;
    for (const { form, mark } of forms) if (out.includes(form)) out = out.replaceAll(form, mark);
    for (const { name, pattern } of SHAPES) out = out.replace(pattern, `[secret ${name}]`);
    return out;
  };
  const open = (text: string): boolean =>
    /\b(?:cst_|gh[opsur]_|github_pat_|xox[abeprs]-|sk-|lin_(?:api|oauth|wh)_|cslink_)[A-Za-z0-9_-]*$/.test(
      text.slice(-200),
    ) ||
    forms.some(({ form }) => {
      for (let size = Math.min(form.length - 1, text.length); size >= SHORTEST / 2; size -= 1) {
        if (text.endsWith(form.slice(0, size))) return true;
      }
      return false;
    });
  return Object.assign(redact, { open });
}

/**
 * A redactor of what `read` knows at the time: asked again at most every `everyMs`, so that a secret which is changed
 * while we run is known soon.
 */
export function followedRedactor(read: () => readonly Known[], o: { everyMs: number; now: () => number }): Redactor {
  let known = "";
  let current = redactor([]);
  let lookAt = Number.NEGATIVE_INFINITY;
  const fresh = (): Redactor => {
    if (o.now() < lookAt) return current;
    lookAt = o.now() + o.everyMs;
    const all = read();
    const said = JSON.stringify(all);
    if (said !== known) [known, current] = [said, redactor(all)];
    return current;
  };
  return Object.assign((text: string) => fresh()(text), { open: (text: string) => fresh().open(text) });
}

/**
 * The same value with every text in it redacted, names of fields included: an agent chooses those of its tools' inputs.
 * Two names that become one are told apart by a number, so that neither value can hide the other.
 */
export function redacted(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => redacted(item, redact));
  if (value === null || typeof value !== "object") return value;
  const fields = new Map<string, unknown>();
  for (const [name, item] of Object.entries(value)) {
    const plain = redact(name);
    let free = plain;
    for (let n = 2; fields.has(free); n += 1) free = `${plain} ${n}`;
    fields.set(free, redacted(item, redact));
  }
  return Object.fromEntries(fields);
}
