import { type Finding, fine, note, wrong } from "#command/doctor.ts";
import type { Config } from "./config.ts";
import { examineForge } from "./forge.ts";

/** What GitHub says of the App: whether it knows it, and each event that it does not tell us of. */
export async function examineCode(config: Config): Promise<readonly Finding[]> {
  const app = await examineForge(config, {
    repos: [],
    say: () => {},
    // Somebody waits, and can ask again.
    pace: { paced: true, retryBaseMs: 100 },
  });
  if (app === null) return [fine("code", "Repositories are on the git host of this machine.")];
  const { appId, said, webhookSecret } = app;
  if ("unasked" in said)
    return [
      wrong(
        "code.unasked",
        `GitHub could not be asked about App ${appId}: ${said.unasked}. Nothing is known of its key and of what it may do.`,
        "See that this machine reaches GITHUB_API_URL (https://api.github.com when absent), and run doctor again.",
      ),
    ];
  const ours = fine(
    "code",
    `GitHub knows App ${appId} by its key as ${said.slug}, and it has the permissions that runs need.`,
  );
  if (webhookSecret === null)
    return [
      ours,
      note(
        "code.webhook",
        "There is no GITHUB_WEBHOOK_SECRET, so GitHub tells us of nothing: a timer looks every ten minutes.",
        "Give the App a webhook that posts to PUBLIC_URL/github/webhooks, and set its secret: docs/github.md.",
      ),
    ];
  const deaf = said.deaf.map((event) =>
    wrong(
      `code.event.${event}`,
      `The App does not subscribe to the event ${event}: what it would tell is seen by a timer, up to ten minutes later.`,
      `Tick it under "Permissions & events", "Subscribe to events", in the App's settings (${said.settingsUrl}).`,
    ),
  );
  return deaf.length === 0
    ? [
        ours,
        fine(
          "code.events",
          "It subscribes to every event that we wait for; its webhook's address and secret were not tried.",
        ),
      ]
    : [ours, ...deaf];
}
