import { Webhooks } from "@octokit/webhooks";
import type { Secret } from "#ports/secret.ts";

/** Whether a signature ("sha256=…") is of this text under the webhook's secret, compared in constant time. */
export function githubVerifier(secret: Secret): (raw: string, signature: string) => Promise<boolean> {
  const webhooks = new Webhooks({ secret: secret.reveal() });
  // The package throws on an empty text: to it that is a mistake of its caller, and ours is anybody.
  return async (raw, signature) => raw !== "" && signature !== "" && (await webhooks.verify(raw, signature));
}
