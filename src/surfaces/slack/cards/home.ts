import type { HomeView as SlackHome } from "@slack/types";
import type { HomeView } from "#runs/view.ts";
import { HOME_ACTS, OPEN } from "#surfaces/slack/acts.ts";
import { permalink } from "#surfaces/slack/permalink.ts";
import { PLACES } from "./accounts.ts";
import { actions, button, context, linkButton, menu, section } from "./blocks.ts";
import { STATES } from "./facts.ts";
import { version } from "./policy.ts";
import { code, link, moment, said } from "./text.ts";

/** Slack takes 100 blocks in a Home; each question and each run is two. */
const QUESTIONS_MOST = 15;
const RUNS_MOST = 10;

/**
 * The app's Home of one person. `workspaceUrl`: what permalinks begin with, without a slash at the end; `null`: not known.
 * `notice`: what their last press did.
 */
export function homeOf(
  { waiting, unread, runs, teams, policy, runsUrl, links }: HomeView,
  o: { readonly workspaceUrl: string | null; readonly notice: string | null },
): SlackHome {
  const blocks = [
    o.notice === null ? null : section(o.notice),
    section("*Waiting for your decision*"),
    ...(waiting.length === 0 ? [section("Nothing waits for you.")] : []),
    ...waiting
      .slice(0, QUESTIONS_MOST)
      .flatMap((one) => [
        section(
          `${link(one.run.url, `Run ${one.run.number}`)} of ${said(one.asker, 60)} on ${code(one.run.repo, 100)}: ${said(one.gate)}`,
          `${said(one.text, 200)}`,
          `Until ${moment(one.expiresAt, "day")}.`,
        ),
        actions(cardButton(one, o.workspaceUrl)),
      ]),
    waiting.length > QUESTIONS_MOST ? context(`and ${waiting.length - QUESTIONS_MOST} more, in their threads`) : null,
    unread
      ? context(
          "Some groups could not be read just now, so a question may be missing. Open this page again in a minute.",
        )
      : null,
    section("*Your runs*"),
    ...(runs.length === 0 ? [section("You have asked for none yet. Mention me in your team's channel.")] : []),
    ...runs.slice(0, RUNS_MOST).flatMap((run) => [
      section(
        `${link(run.url, `Run ${run.number}`)} ${run.state in STATES ? STATES[run.state as keyof typeof STATES] : said(run.state)}, ${code(run.repo, 100)}: ${said(run.text, 160)}`,
      ),
      run.over
        ? null
        : actions(
            button({
              action: HOME_ACTS.stop,
              text: "Stop",
              label: `Stop run ${run.number} of team ${run.team}`,
              value: run.id,
              style: "danger",
              confirm: {
                title: `Stop run ${run.number}?`,
                text: "Its processes end at once. Work that was committed stays on its branch.",
                yes: "Stop it",
                no: "Let it run",
              },
            }),
          ),
    ]),
    section("*Policy*"),
    policy === null
      ? section("The policy cannot be read, so everything is refused until it can.")
      : context(version(policy.commit, policy.digest)),
    teams.length === 0
      ? section("You are in none of the teams that policy knows. Ask to be added to your team's group.")
      : actions(
          menu({
            action: HOME_ACTS.policy,
            placeholder: "What may a team do?",
            options: teams.map((team) => ({ text: team, value: team })),
          }),
        ),
    ...accounts(links),
    section(
      "*Help*",
      `Mention me in your team's channel with a request, or type ${code("/agent run")} and what you want. ${code("/agent help")} has the rest.`,
      link(runsUrl, "All runs"),
    ),
  ];
  return { type: "home", blocks: numbered(blocks.filter((block) => block !== null)) };
}

/** Which accounts elsewhere are theirs; nothing where none can be linked. */
function accounts({ accounts: theirs, places }: HomeView["links"]) {
  const free = places.filter((place) => !theirs.some(({ provider }) => provider === place));
  if (theirs.length + free.length === 0) return [];
  return [
    section(
      "*Your accounts elsewhere*",
      theirs.length === 0
        ? "None is linked with you."
        : theirs.map(({ provider, name }) => `${said(name, 80)} on ${PLACES[provider]}`).join("\n"),
    ),
    actions(
      ...free.map((place) =>
        button({
          action: HOME_ACTS.link,
          text: `Link ${PLACES[place]}`,
          label: `Link your ${PLACES[place]} account`,
          value: place,
        }),
      ),
      ...theirs.map(({ provider }) =>
        button({
          action: HOME_ACTS.unlink,
          text: `Unlink ${PLACES[provider]}`,
          label: `Unlink your ${PLACES[provider]} account`,
          value: provider,
        }),
      ),
    ),
  ];
}

/** Slack wants the actions of one Home told apart by their block. */
const numbered = (blocks: readonly SlackHome["blocks"][number][]): SlackHome["blocks"] =>
  blocks.map((block, index) => ({ ...block, block_id: `home_${index}` }));

function cardButton({ run, card }: HomeView["waiting"][number], workspaceUrl: string | null) {
  if (card === null || workspaceUrl === null) return null;
  const { channel, thread, messageId } = card;
  const inThread = thread === "" ? "" : `?thread_ts=${thread}&cid=${channel}`;
  return linkButton({
    action: OPEN.card,
    text: "Open the card",
    label: `Open the question of run ${run.number}`,
    url: `${permalink(workspaceUrl, channel, messageId)}${inThread}`,
    style: "primary",
  });
}
