import type { Run } from "./run.ts";
import type { Turn } from "./stores.ts";

/**
 * What the agent is told. The request stands between marks: whatever it says, it is a person's words about the task,
 * and the wall does not depend on the agent believing any of this.
 */
export function promptOf(run: Run, turn: Turn): string {
  const request = `<request from="${run.requester.name}">\n${run.text}\n</request>`;
  switch (turn.cause) {
    case "request":
      return [
        `You work alone in a git checkout of ${run.repo}, on branch ${run.branch}. Edit the files here to do what is asked.`,
        "Do not commit, push or open a pull request: that is done for you when you end your turn, and a person reviews it.",
        "The network is closed but for what policy allows; a refused host says which rule refused it. Do not try to go around it.",
        "If nothing needs to change, answer in words. End with one or two sentences on what you did and what you left out.",
        "",
        request,
      ].join("\n");
    case "follow_up":
      return [
        `${turn.person?.name ?? "Someone"} adds:`,
        "",
        `<request from="${turn.person?.name ?? ""}">\n${turn.text}\n</request>`,
      ].join("\n");
    case "interrupted":
      return [
        "You were interrupted, not by your doing. Your last command may or may not have had its effect: check before you repeat it.",
        "Go on with what was asked:",
        "",
        request,
      ].join("\n");
    case "rejection":
      return `<note>\n${turn.text}\n</note>\nGo on without it, or say what cannot be done.`;
    case "checks":
      return `<note>\n${turn.text}\n</note>\nFind the cause and mend it. Do not weaken a test or a check to make it pass.`;
    case "review":
      return `A review of the pull request says:\n\n<request from="${turn.person?.name ?? ""}">\n${turn.text}\n</request>`;
    default:
      return turn.cause satisfies never;
  }
}
