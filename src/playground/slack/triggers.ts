import { randomBytes } from "node:crypto";

/** Slack's `trigger_id`: proof that a person just did something. Lives three seconds, opens one thing. */
export interface Triggers {
  /** `viewId`: the modal in which the person acted, if it was in one. */
  issue(user: string, viewId: string | null): string;
  use(
    trigger: string,
  ):
    | { readonly user: string; readonly viewId: string | null }
    | "invalid_trigger_id"
    | "expired_trigger_id"
    | "exchanged_trigger_id";
}

const TRIGGER_LIVES_MS = 3_000;

export function openTriggers(now: () => number): Triggers {
  const known = new Map<string, { user: string; viewId: string | null; expires: number; used: boolean }>();
  return {
    issue(user, viewId) {
      for (const [id, trigger] of known) if (trigger.expires < now() - 60_000) known.delete(id);
      const id = `${Math.floor(now())}.${randomBytes(4).readUInt32BE()}.${randomBytes(16).toString("hex")}`;
      known.set(id, { user, viewId, expires: now() + TRIGGER_LIVES_MS, used: false });
      return id;
    },
    use(id) {
      const trigger = known.get(id);
      if (!trigger) return "invalid_trigger_id";
      if (trigger.used) return "exchanged_trigger_id";
      if (now() > trigger.expires) return "expired_trigger_id";
      trigger.used = true;
      return { user: trigger.user, viewId: trigger.viewId };
    },
  };
}
