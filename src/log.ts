import pino from "pino";
import { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import type { Known } from "#runs/redact.ts";
import type { Config } from "./config.ts";
import type { Forge } from "./forge.ts";

/**
 * The log, on the standard error output. Whatever part writes a line, what `redact` knows is masked in it: a vendor's error
 * may quote what it was sent.
 */
export function openLog(o: {
  readonly level: string;
  readonly redact: (text: string) => string;
  /** Default: the standard error output, each line before the call returns. */
  readonly out?: { write(line: string): unknown };
}): Core["log"] {
  const out = o.out ?? pino.destination({ dest: 2, sync: true });
  const log = pino({ level: o.level }, { write: (line: string) => void out.write(o.redact(line)) });
  return (message, fields) => log.info(fields ?? {}, message);
}

/** Every secret that is somewhere in `value`, however deep. */
function secretsIn(value: unknown): readonly Secret[] {
  if (value instanceof Secret) return [value];
  if (value instanceof Map) return [...value.values()].flatMap(secretsIn);
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(secretsIn) : [];
}

/** As they stand in a URL, which a driver's error may quote: alone they may be a word that people write. */
function passwordsIn(place: Config["database"]): readonly Secret[] {
  const urls = Object.values(place).filter((value) => typeof value === "string" && URL.canParse(value));
  return urls.flatMap((url) => {
    const { username, password } = new URL(url);
    return password === "" ? [] : [new Secret("database_password", `${username}:${password}@`)];
  });
}

/**
 * What configuration brought that nobody may read: a new setting that is a `Secret` is among them by itself. `github`: what the
 * App's files held.
 */
export const configuredSecrets = (config: Config, github: Forge["github"]): readonly Secret[] => [
  ...secretsIn(config),
  ...passwordsIn(config.database),
  ...[github?.privateKey, github?.webhookSecret, github?.oauth?.clientSecret].flatMap((secret) => secret ?? []),
];

export const knownAs = (secrets: readonly Secret[]): readonly Known[] =>
  secrets.map((secret) => ({ name: secret.name, value: secret.reveal() }));
