import { z } from "zod";
import { BUTTONS, DENY_MODAL, HOME_BUTTONS } from "./acts.ts";
import { clickOf } from "./clicks.ts";
import { commandOf } from "./commands.ts";
import { complaintAbout } from "./deny-modal.ts";
import { leftOf } from "./left.ts";
import { homeClickOf, openedOf, stoppedOf } from "./native.ts";
import { spokenOf } from "./spoken.ts";

/** One thing that Slack told us and that we act on, with the key under which a second telling is a repeat. */
export interface Delivery {
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What to do with a verified body. `answer`: nothing is accepted, Slack shows this to the person. */
export type Sorted =
  | { readonly kind: "act"; readonly delivery: Delivery }
  | { readonly kind: "ignore" }
  | { readonly kind: "answer"; readonly answer: Readonly<Record<string, unknown>> };

const Clicked = z.object({
  type: z.literal("block_actions"),
  team: z.object({ id: z.string() }).nullish(),
});

const Submitted = z.object({
  type: z.literal("view_submission"),
  user: z.object({ id: z.string() }),
  view: z.object({ id: z.string(), hash: z.string(), callback_id: z.literal(DENY_MODAL) }),
});

/**
 * Picks out what we act on; nothing else is kept. Mentions and messages are keyed by channel and time: Slack gives a
 * repeat the same ones even when the event id differs. Clicks and commands have no event id.
 */
export function sort(body: Readonly<Record<string, unknown>>, now: Date): Sorted {
  const spoken = spokenOf(body);
  if (spoken !== null) return act(`said:${spoken.workspace}:${spoken.channel}:${spoken.ts}`, body);
  const clicked = Clicked.safeParse(body);
  const click = clicked.success ? clickOf(body) : null;
  if (clicked.success && click !== null && BUTTONS.includes(click.action)) {
    return act(`click:${clicked.data.team?.id ?? "-"}:${click.user}:${click.at}:${click.action}`, body);
  }
  const atHome = homeClickOf(body);
  if (atHome !== null && HOME_BUTTONS.includes(atHome.action))
    return act(`click:${atHome.workspace}:${atHome.user}:${atHome.at}:${atHome.action}`, body);
  const opened = openedOf(body);
  if (opened !== null) return act(`home:${opened.workspace}:${opened.event}`, body);
  const stopped = stoppedOf(body);
  if (stopped !== null)
    return act(`stopped:${stopped.workspace}:${stopped.channel}:${stopped.thread}:${stopped.user}:${stopped.at}`, body);
  const left = leftOf(body);
  if (left !== null) return act(`left:${left.workspace}:${left.event}`, body);
  const command = commandOf(body);
  // Slack does not say when it was typed; whoever takes it up again later has to know.
  if (command !== null)
    return act(`command:${command.workspace}:${command.trigger}`, { ...body, received_at: now.toISOString() });
  const submitted = Submitted.safeParse(body);
  if (submitted.success) {
    const { user, view } = submitted.data;
    // Checked before it is kept: after a complaint Slack sends the corrected form under the same id and hash.
    const complaint = complaintAbout(body.view);
    if (complaint !== null) return { kind: "answer", answer: complaint };
    return act(`view:${view.id}:${view.hash}:${user.id}`, body);
  }
  return { kind: "ignore" };
}

/** What is kept answers nobody: the old verification token and the addresses that let one speak as us are left out. */
function act(id: string, body: Readonly<Record<string, unknown>>): Sorted {
  const { token: _token, response_url: _url, response_urls: _urls, ...kept } = body;
  return { kind: "act", delivery: { id, body: kept } };
}
