import { createPrivateKey } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { KeyProblem } from "#adapters/secrets/keys.ts";
import { Secret } from "#ports/secret.ts";

/** A secret that was given as it is, or out of a file that its owner alone can read. Throws `KeyProblem` with what mends it. */
export function openSecret(given: Secret | { readonly file: string }, name: string): Secret {
  if (given instanceof Secret) return given;
  const { file } = given;
  let mode: number;
  let value: string;
  try {
    mode = statSync(file).mode & 0o777;
    value = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new KeyProblem(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new KeyProblem(`${file} can be read by others (mode ${mode.toString(8)}): run \`chmod 600 ${file}\``);
  if (value === "") throw new KeyProblem(`${file} is empty`);
  return new Secret(name, value);
}

/** The private key of a GitHub App. A variable has room for one line: there "\n" stands for the end of one. */
export function openAppKey(given: Secret | { readonly file: string }): Secret {
  const key = openSecret(given, "github_app_private_key");
  const text = key.reveal().replaceAll("\\n", "\n");
  try {
    createPrivateKey(text);
  } catch (cause) {
    throw new KeyProblem(
      "the private key of the GitHub App is no private key in PEM: give the whole file that GitHub gave, with its first and last line",
      { cause },
    );
  }
  return new Secret(key.name, text);
}
