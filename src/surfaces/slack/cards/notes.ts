import type { View } from "#runs/view.ts";
import { ACTS, packChoice } from "#surfaces/slack/acts.ts";
import { egressReason, NOTED, words } from "#surfaces/slack/words.ts";
import { actions, type Card, card, context, menu, section } from "./blocks.ts";
import { openRun, STATES } from "./facts.ts";
import { code, count, link, listed, quoted, said, some } from "./text.ts";

type Of<K extends View["kind"]> = Extract<View, { kind: K }>;

const LINES_MOST = 10;

/** For one person: why nothing happened, and what to do. */
export function refusedCard({ refusal, run }: Of<"refused">): Card {
  const text = words(refusal);
  const page = run === undefined ? null : context(link(run.url, `The page of run ${run.number}`));
  return card(text, [section(text), page]);
}

/** For one person: what their act did. */
export function notedCard({ what, run, partly }: Of<"noted">): Card {
  const text = `Run ${run.number}: ${NOTED[what]}`;
  const linked = `${link(run.url, `Run ${run.number}`)}: ${NOTED[what]}`;
  if (partly === undefined) return card(text, [section(linked)]);
  const handed = `That is for ${listed(partly.handed.map(named))} only.`;
  const kept = partly.kept.map((one) => `Not handed over, ${named(one)}: ${words(one.refusal)}`);
  return card([text, handed, ...kept].join(" "), [section(linked, handed), ...kept.map((line) => section(line))]);
}

const named = ({ gate, name }: { readonly gate: string; readonly name: string | null }): string =>
  name === null ? gate : `${gate} ${code(name, 80)}`;

/** A host was refused: which, by what, and what can be done. */
export function blockedCard({ run, host, port, reason, rule, times }: Of<"blocked">): Card {
  const name = code(`${host}:${port}`, 120);
  const why = egressReason(reason);
  return card(
    `Run ${run.number} was refused ${said(host, 100)}:${port}, because ${why}. It goes on without; the policy of team ${said(run.team, 60)} can allow it.`,
    [
      section(
        `*Blocked: ${name}*`,
        `Run ${run.number} tried to reach it ${times === 1 ? "once" : count(times, "time")} and was refused, because ${why}.`,
        rule === null ? null : `Rule: ${code(rule, 160)}`,
        `Nothing has left the sandbox. If the work needs this host, add it under ${code("egress")} in the policy of team ${said(run.team, 60)}, have the policy's owners review it, and ask again.`,
      ),
      actions(openRun(run)),
    ],
  );
}

export function helpCard({ team, repos, examples, recipes }: Of<"help">): Card {
  const where = team === null ? "This channel belongs to no team yet." : `Here I work for team ${said(team, 60)}.`;
  const tries = examples.length > 0 ? examples : ['replace "old words" with "new words" in README.md'];
  return card(`${where} Mention me with a request, or with status, why, policy, mine or stop.`, [
    section(
      "*Ask for a change, and get a pull request with a receipt.*",
      `${where} Policy decides what a run may touch, and asks people where it must. I never merge.`,
    ),
    section(
      "*Mention me with*",
      ...tries.slice(0, 5).map((example) => code(example, 200)),
      `${code("status")} for this thread's run or the team's latest, ${code("why")} for the rules behind it, ${code("mine")} for your runs, ${code("stop")} to end the run of this thread.`,
      `${code("policy")} for what this team may do, ${code("can I run npm test")} to ask policy before you ask for work, ${code("link")} for your accounts on GitHub and Linear.`,
      `${code("repo=owner/name")} picks a repository; ${code("new")} before a request starts another run in a thread.`,
    ),
    recipes.length === 0
      ? null
      : section(
          "*Recipes of this team*",
          ...some(
            recipes.map(({ title, usage, at }) => `${code(usage, 200)} ${said(title, 120)} (${code(at, 120)})`),
            LINES_MOST,
          ),
        ),
    repos.length === 0
      ? null
      : context(
          `Repositories: ${listed(
            some(
              repos.map((repo) => code(repo, 120)),
              LINES_MOST,
            ),
          )}`,
        ),
  ]);
}

export function listCard({ whose, runs }: Of<"list">): Card {
  const state = (value: string) => (value in STATES ? STATES[value as keyof typeof STATES] : said(value));
  if (runs.length === 0) {
    const text = `${said(whose, 60)} has no runs yet. Mention me with a request to start one.`;
    return card(text, [section(text)]);
  }
  const first = runs[0];
  return card(
    `${count(runs.length, "run")} of ${said(whose, 60)}. ${first ? `Run ${first.number} ${state(first.state)}.` : ""} Open a run's page for more.`,
    [
      section(
        `*Runs of ${said(whose, 60)}*`,
        ...runs.map(
          (run) =>
            `${link(run.url, `Run ${run.number}`)} ${state(run.state)}, ${code(run.repo, 100)}: ${said(run.text, 120)}`,
        ),
      ),
    ],
  );
}

/** What a person asked for by a command, for everybody: the run is followed in the thread below it. */
export function askedCard({ by, text }: Of<"asked">): Card {
  return card(`${said(by, 60)} asks: ${said(text, 200)}`, [section(`${said(by, 60)} asks:`, quoted(text, 1_000))]);
}

/** In a direct message, for somebody in several teams: which one the words are for. */
export function chooseTeamCard({ key, teams, text }: Of<"choose_team">): Card {
  return card("You are in several teams, so nothing was started yet. Choose the team that your message is for.", [
    section("*Which team is this for?*", quoted(text, 300), "Policy decides by team, and a direct message has none."),
    actions(
      menu({
        action: ACTS.chooseTeam,
        placeholder: "Choose a team",
        options: teams.map((team) => ({ text: team, value: packChoice(key, team) })),
      }),
    ),
    context("These are your teams as they are now. Only you can choose, once, within a day."),
  ]);
}
