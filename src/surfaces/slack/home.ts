import type { App } from "@slack/bolt";
import type { View } from "#runs/view.ts";
import { HOME_ACTS } from "./acts.ts";
import { homeOf } from "./cards/home.ts";
import { render } from "./cards/render.ts";
import type { Desk, DeskOf } from "./desk.ts";
import { homeClickOf, openedOf, stoppedOf } from "./native.ts";

const NOT_KNOWN = "Slack could not tell us who you are, so nothing can be shown. Open this page again in a minute.";
const LATE = "Slack could not open the policy in time. Press it again.";

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
    const { verbs, urgent, now } = desk;
    const { user, value, triggerId } = pressed(body);
    const account = await desk.accountOf(user);
    const view = account === null ? desk.unknown : await verbs.teamPolicy({ account, team: value });
    try {
      await urgent.views.open({
        trigger_id: triggerId,
        view: {
          type: "modal",
          title: { type: "plain_text", text: "Policy", emoji: false },
          close: { type: "plain_text", text: "Close", emoji: false },
          blocks: render(view, now()).blocks,
        },
      });
    } catch (error) {
      // A trigger lives three seconds: no later try of ours can open it.
      desk.log("the policy could not be opened from the Home", { error: String(error) });
      await publish(desk, user, LATE);
    }
  });

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
