import type { Run } from "#runs/run.ts";
import type { PlacedSecret } from "#runs/sandbox/granted.ts";
import type { Turn } from "#runs/stores.ts";

/**
 * What the agent is told. The request stands between marks: whatever it says, it is a person's words about the task,
 * and the wall does not depend on the agent believing any of this.
 */
export function promptOf(run: Run, turn: Turn, secrets: readonly PlacedSecret[] = []): string {
  const request = `<request from="${run.requester.name}">\n${run.text}\n</request>`;
  switch (turn.cause) {
    case "request":
      return [
        `You work alone in a git checkout of ${run.repo}, on branch ${run.branch}. Edit the files here to do what is asked.`,
        "Do not commit, push or open a pull request: that is done for you when you end your turn, and a person reviews it.",
        "The network is closed but for what policy allows; a refused host says which rule refused it. Do not try to go around it.",
        ...secrets.map((secret) => howToUse(run, secret)),
        "If nothing needs to change, answer in words. End with one or two sentences on what you did and what you left out.",
        "",
        request,
      ].join("\n");
    case "follow_up":
      // Nobody's words: ours, about what has changed around the run.
      if (turn.person === null) return `<note>\n${turn.text}\n</note>`;
      return [
        `${turn.person?.name ?? "Someone"} adds:`,
        "",
        `<request from="${turn.person?.name ?? ""}">\n${turn.text}\n</request>`,
      ].join("\n");
    case "interrupted":
      return [
        "You were interrupted, not by your doing. Your last command may or may not have had its effect: check before you repeat it.",
        ...secrets.map((secret) => howToUse(run, secret)),
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

function howToUse(run: Run, { name, variable }: PlacedSecret): string {
  const rules = (run.scope?.egress ?? []).filter(({ secret }) => secret?.name === name);
  const hosts = [...new Set(rules.map(({ host }) => host))].join(", ");
  const header = rules[0]?.secret?.header ?? "authorization";
  return `$${variable} stands for the secret ${name}: put it into the ${header} header of requests to ${hosts} as you would put the secret itself. It means nothing anywhere else.`;
}
