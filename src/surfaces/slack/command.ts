import type { App } from "@slack/bolt";
import type { View } from "#runs/view.ts";
import { type Card, card, section } from "./cards/blocks.ts";
import { code } from "./cards/text.ts";
import { asked, type Command, commandOf } from "./commands.ts";
import type { Desk, DeskOf } from "./desk.ts";
import { speech } from "./speech.ts";

/** What is missing, and how it is said right. */
const USAGE: Readonly<Record<"no_task" | "no_number" | "unknown", (name: string) => string>> = {
  no_task: (name) =>
    `Say what you want after it: ${code(`${name} run replace "old words" with "new words" in README.md`)}.`,
  no_number: (name) => `Name the run: ${code(`${name} stop 142`)}. ${code(`${name} mine`)} lists yours.`,
  unknown: (name) =>
    `I know ${["run", "status", "stop", "policy", "mine", "link", "help"].map((word) => code(`${name} ${word}`)).join(", ")}. To ask for work, begin with ${code(`${name} run`)}.`,
};

/** Slash commands: the same verbs as a mention. Every one has an answer that its person sees. */
export function hearCommands(app: App, deskOf: DeskOf): void {
  // The name is the workspace's choice; Slack brings us no other app's.
  app.command(/^\//, async ({ ack, body, context }) => {
    await ack();
    const desk = await deskOf(context);
    const command = commandOf(body);
    if (command === null) throw new Error("a command that passed the door cannot be read");
    const at = { place: desk.placed(command.channel, ""), user: command.user, inThread: false };
    const answer = await answerTo(desk, command);
    if (answer !== null) await desk.note(at, answer);
  });

  /** `null`: what came of it is seen in the channel. */
  async function answerTo(desk: Desk, command: Command): Promise<View | Card | null> {
    const { verbs, identity, placed } = desk;
    const { workspace, channel, user, trigger } = command;
    const text = speech(command.text, identity.botUserId);
    const what = asked(text);
    if (what.kind === "usage") {
      const usage = USAGE[what.why](command.name);
      return card(usage, [section(usage)]);
    }
    const [account, facts] = await Promise.all([desk.accountOf(user), desk.factsOf(channel)]);
    if (account === null) return desk.unknown;
    const place = placed(channel, "");
    if (what.kind === "stop") return verbs.stopNumbered({ number: what.number, account, place });
    // A channel that we are not in, or a conversation of others: Slack says nothing about it.
    if (facts === null) return notHere(command.name);
    const requestKey = `slack:${workspace}:${channel}:command:${trigger}`;
    const heard = { account, place, first: true, requestKey, text: what.text, ...facts };
    if (what.kind === "say") return verbs.hear(heard);
    const refused = await verbs.barred(heard);
    if (refused !== null) return refused;
    const view: View = { kind: "asked", by: account.name, text: what.text, at: command.receivedAt ?? desk.now() };
    const { messageId } = await desk.show(`slack:command:${trigger}`, place, view, null);
    return verbs.hear({ ...heard, place: { ...place, thread: messageId } });
  }
}

function notHere(name: string): Card {
  const text = `I cannot see this conversation, so nothing was done. Invite me to it, or type ${code(name)} in your team's channel.`;
  return card(text, [section(text)]);
}
