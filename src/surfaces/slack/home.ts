import type { App } from "@slack/bolt";
import { LINK_PLACES, type LinkPlace } from "#policy/linked.ts";
import type { View } from "#runs/view.ts";
import { HOME_ACTS } from "./acts.ts";
import { homeOf } from "./cards/home.ts";
import { render } from "./cards/render.ts";
import type { Desk, DeskOf } from "./desk.ts";
import { homeClickOf, openedOf, stoppedOf } from "./native.ts";

const NOT_KNOWN = "Slack could not tell us who you are, so nothing can be shown. Open this page again in a minute.";
const LATE = "Slack could not open the policy in time. Press it again.";
const LINK_LATE = "Slack could not show you how to link the account in time. Press it again.";

/** Of a button of ours, so that it is one of them. */
function placeOf(value: string): LinkPlace {
  const place = LINK_PLACES.find((one) => one === value);
  if (place === undefined) throw new Error("a press that passed the door names no place");
  return place;
}

/** The app's own places in Slack: its Home, and the Stop button of a session. */
export function hearNative(app: App, deskOf: DeskOf): void {
  app.event("app_home_opened", async ({ body, context }) => {
    const opened = openedOf(body);
    if (opened !== null) await publish(await deskOf(context), opened.user, null);
  });

  app.action(HOME_ACTS.stop, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const { verbs, placed, now } = desk;
    const { user, value } = pressed(body);
    const account = await desk.accountOf(user);
    const view = account === null ? desk.unknown : await verbs.stop({ runId: value, account, place: placed("", "") });
    await publish(desk, user, render(view, now()).text);
  });

  app.action(HOME_ACTS.policy, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const { user, value, triggerId } = pressed(body);
    const account = await desk.accountOf(user);
    const view = account === null ? desk.unknown : await desk.verbs.teamPolicy({ account, team: value });
    await open(desk, { user, triggerId, title: "Policy", view, late: LATE });
  });

  app.action(HOME_ACTS.link, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const { user, value, triggerId } = pressed(body);
    const [account, place] = [await desk.accountOf(user), placeOf(value)];
    const view = account === null ? desk.unknown : await desk.verbs.accounts({ account, what: "link", place });
    await open(desk, { user, triggerId, title: "Link an account", view, late: LINK_LATE });
  });

  app.action(HOME_ACTS.unlink, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const { user, value } = pressed(body);
    const [account, place] = [await desk.accountOf(user), placeOf(value)];
    const view = account === null ? desk.unknown : await desk.verbs.accounts({ account, what: "unlink", place });
    await publish(desk, user, render(view, desk.now()).text);
  });

  /** Shows something to whoever pressed, above the Home. */
  async function open(
    desk: Desk,
    o: { user: string; triggerId: string; title: string; view: View; late: string },
  ): Promise<void> {
    try {
      await desk.urgent.views.open({
        trigger_id: o.triggerId,
        view: {
          type: "modal",
          title: { type: "plain_text", text: o.title, emoji: false },
          close: { type: "plain_text", text: "Close", emoji: false },
          blocks: render(o.view, desk.now()).blocks,
        },
      });
    } catch (error) {
      // A trigger lives three seconds: no later try of ours can open it.
      desk.log(`"${o.title}" could not be opened from the Home`, { error: String(error) });
      await publish(desk, o.user, o.late);
    }
  }

  app.event("agent_session_stopped", async ({ body, context }) => {
    const stopped = stoppedOf(body);
    if (stopped === null) return;
    const desk = await deskOf(context);
    const { verbs, placed } = desk;
    const { user, channel, thread, workspace, at, external } = stopped;
    const place = placed(channel, thread);
    const [account, facts] = await Promise.all([
      desk.accountOf(user),
      external ? { shared: true, direct: false } : desk.factsOf(channel),
    ]);
    const requestKey = `slack:${workspace}:${channel}:stopped:${user}:${at}`;
    const view: View | null =
      account === null || facts === null
        ? desk.unknown
        : // The same as the word in the thread: Slack stops nothing by itself.
          await verbs.hear({ account, place, first: false, requestKey, text: "stop", ...facts });
    if (view !== null) await desk.note({ place, user, inThread: true }, view);
  });

  async function publish(desk: Desk, user: string, notice: string | null): Promise<void> {
    const { verbs, urgent } = desk;
    const account = await desk.accountOf(user);
    const workspaceUrl = desk.identity.url ?? null;
    const view =
      account === null
        ? {
            type: "home" as const,
            blocks: [{ type: "section" as const, text: { type: "mrkdwn" as const, text: NOT_KNOWN } }],
          }
        : homeOf(await verbs.home(account), { workspaceUrl, notice });
    await urgent.views.publish({ user_id: user, view });
  }
}

function pressed(body: unknown) {
  const click = homeClickOf(body);
  if (click === null) throw new Error("a press that passed the door cannot be read");
  return click;
}
