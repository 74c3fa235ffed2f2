import path from "node:path";
import type { Secret } from "#ports/secret.ts";

/** A secret as it was given: itself, or the absolute path of the file that holds it. */
export type Given = Secret | { readonly file: string };

/** The GitHub App that the environment names. What lies in a file is read by whoever opens the forge. */
export interface GithubAppPlace {
  readonly appId: number;
  readonly privateKey: Given;
  readonly webhookSecret: Given | null;
}

/** `null`: the local git host. A text: what is wrong, since half an App is a mistake and not the local git host. */
export function githubAppOf(
  e: {
    readonly GITHUB_APP_ID?: number | undefined;
    readonly GITHUB_APP_PRIVATE_KEY?: Secret | undefined;
    readonly GITHUB_APP_PRIVATE_KEY_FILE?: string | undefined;
    readonly GITHUB_WEBHOOK_SECRET?: Secret | undefined;
    readonly GITHUB_WEBHOOK_SECRET_FILE?: string | undefined;
  },
  cwd: string,
): GithubAppPlace | null | string {
  const twice = (["GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET"] as const).find(
    (name) => e[name] !== undefined && e[`${name}_FILE`] !== undefined,
  );
  if (twice !== undefined) return `${twice} and ${twice}_FILE say the same thing twice: unset one of them`;
  const given = (secret: Secret | undefined, file: string | undefined): Given | null =>
    secret ?? (file === undefined ? null : { file: path.resolve(cwd, file) });
  const privateKey = given(e.GITHUB_APP_PRIVATE_KEY, e.GITHUB_APP_PRIVATE_KEY_FILE);
  const webhookSecret = given(e.GITHUB_WEBHOOK_SECRET, e.GITHUB_WEBHOOK_SECRET_FILE);
  if (e.GITHUB_APP_ID !== undefined && privateKey !== null)
    return { appId: e.GITHUB_APP_ID, privateKey, webhookSecret };
  if (e.GITHUB_APP_ID === undefined && privateKey === null && webhookSecret === null) return null;
  return "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY (or GITHUB_APP_PRIVATE_KEY_FILE) go together: set both, or none of GITHUB_APP_* and GITHUB_WEBHOOK_* for the local git host";
}
