import { checkCall } from "#playground/slack/validate.ts";
import type { JsonObject } from "#playground/slack/world.ts";
import { refuse } from "./call.ts";

/** The app's settings as its maker has them. */
export interface AppSettings {
  /** An app configuration token: of a person and a workspace, not of an app. */
  readonly token: string;
  /** Epoch ms at which it ends; Slack's live twelve hours. */
  readonly endsAt: () => number;
  /** As they are now. */
  readonly manifest: () => JsonObject;
}

/** For a configuration token alone: https://docs.slack.dev/reference/methods/apps.manifest.export */
export function exportManifest(o: {
  readonly settings: AppSettings | null;
  readonly appId: string;
  /** The token that came; "": none. `isApps`: it is one of the app's. */
  readonly bearer: string;
  readonly isApps: boolean;
  readonly given: Readonly<Record<string, unknown>>;
  readonly now: number;
}): JsonObject {
  const { settings, bearer } = o;
  if (bearer === "") return refuse("not_authed");
  if (o.isApps) return refuse("not_allowed_token_type");
  if (settings === null || bearer !== settings.token) return refuse("invalid_auth");
  if (o.now >= settings.endsAt()) return refuse("token_expired");
  const checked = checkCall("apps.manifest.export", o.given);
  if (!checked.ok) return refuse(checked.error, { response_metadata: { messages: checked.messages } });
  const { app_id } = checked.args;
  if (!/^A[A-Z0-9]+$/.test(String(app_id))) return refuse("invalid_app_id");
  return app_id === o.appId ? { ok: true, manifest: settings.manifest() } : refuse("app_not_found");
}
