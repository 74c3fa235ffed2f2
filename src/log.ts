import pino from "pino";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import type { Known } from "#runs/redact.ts";
import type { Config } from "./config.ts";
import type { Forge } from "./forge.ts";
import { slackSecrets } from "./slack-place.ts";

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

/** What configuration brought that nobody may read. */
export const configuredSecrets = (config: Config, github: Forge["github"]): readonly Secret[] =>
  [
    config.models.openai.key,
    config.models.anthropic.key,
    ...slackSecrets(config.slack),
    config.people.githubToken,
    config.signIn?.clientSecret,
    config.policyRepository?.token,
    config.policyWebhook,
    github?.privateKey,
    github?.webhookSecret,
    github?.oauth?.clientSecret,
    config.daytona?.apiKey,
    config.linear?.webhookSecret,
    ...Object.values(config.linear?.access ?? {}).filter((one) => typeof one !== "string"),
  ].flatMap((secret) => secret ?? []);

export const knownAs = (secrets: readonly Secret[]): readonly Known[] =>
  secrets.map((secret) => ({ name: secret.name, value: secret.reveal() }));
