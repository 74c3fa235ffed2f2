import type { Secret } from "#ports/secret.ts";

/** Whether a signature ("sha256=…") is of this text under the webhook's secret, compared in constant time. */
export async function githubVerifier(secret: Secret): Promise<(raw: string, signature: string) => Promise<boolean>> {
  // Loaded with the first App: a start without one does not wait for it.
  const { Webhooks } = await import("@octokit/webhooks");
  const webhooks = new Webhooks({ secret: secret.reveal() });
  // The package throws on an empty text: to it that is a mistake of its caller, and ours is anybody.
  return async (raw, signature) => raw !== "" && signature !== "" && (await webhooks.verify(raw, signature));
}
