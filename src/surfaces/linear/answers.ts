import type { Activity } from "#ports/ticket.ts";
import type { View } from "#runs/view.ts";
import { some } from "#surfaces/slack/cards/text.ts";
import { NOTED } from "#surfaces/slack/words.ts";
import { code, link, said } from "./text.ts";
import { WAITS_FOR_WORDS, words } from "./words.ts";

const LINES_MOST = 10;
const IN_SLACK = "Ask us that in Slack: the answer is long, and for you alone.";

/** What the core says to one person, in a session that everybody with access to the ticket reads. */
export function answerOf(view: View): Activity {
  const says = (kind: "thought" | "elicitation" | "response" | "error", body: string): Activity => ({ kind, body });
  switch (view.kind) {
    case "refused": {
      const { code: why } = view.refusal;
      const ours = why === "policy_unavailable" || why === "directory_unavailable";
      const page = view.run === undefined ? "" : `\n\n${link(view.run.url, `The page of run ${view.run.number}`)}`;
      return says(WAITS_FOR_WORDS.has(why) ? "elicitation" : ours ? "error" : "response", words(view.refusal) + page);
    }
    case "noted":
      return says("thought", `${link(view.run.url, `Run ${view.run.number}`)}: ${NOTED[view.what]}`);
    case "list":
      return says(
        "response",
        view.runs.length === 0
          ? "There is no run yet."
          : some(
              view.runs.map(
                (run) =>
                  `- ${link(run.url, `Run ${run.number}`)} on ${code(run.repo)} is ${said(run.state.replaceAll("_", " "))}: ${said(run.text, 120)}`,
              ),
              LINES_MOST,
            ).join("\n"),
      );
    case "help":
      return says(
        "response",
        "Delegate a ticket to me, or mention me on one: I work on it in a sandbox, and it ends as a pull request with a receipt, or as an answer. Policy decides what a run may touch, and asks people in Slack where it must. Write here to add something, or `stop` to end the run.",
      );
    case "why":
      return says("response", `${link(view.run.url, "The run page")} has every rule that decided.`);
    default:
      return says("response", IN_SLACK);
  }
}
