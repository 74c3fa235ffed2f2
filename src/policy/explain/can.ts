import type { Tried } from "#policy/load/cases.ts";
import { toolProblem } from "#policy/tools.ts";

/** What a person may ask for beforehand, as examples. */
export const CAN_EXAMPLES = [
  "can I change docs/faq.md",
  "can I change package.json in acme/shop",
  "can I work on acme/site",
  "can I run npm test",
  "can I reach GET https://api.example.com/v1",
  "can I use the model gpt-5",
  "can I use the secret cms-read",
  "can I use the tool browser",
] as const;

const REPO = String.raw`[\w.-]+\/[\w.-]+`;

/**
 * The question after "can I", as what would be tried; `null` when it is none of the forms above. Plain words, no guess: what
 * is asked here decides nothing, but its answer is believed.
 */
export function whatIsTried(text: string, repo: string | null): Tried | null {
  const words = text
    .trim()
    .replace(/[?.!]+$/, "")
    .trim();
  const change = new RegExp(`^(?:change|edit|touch|push to) (.+?)(?: in (${REPO}))?$`, "i").exec(words);
  if (change !== null) {
    const where = change[2] ?? repo;
    const paths = (change[1] ?? "")
      .split(/,\s*|\s+and\s+|\s+/)
      .filter((path) => path !== "" && !/^(?:the|file|files)$/i.test(path));
    return where === null || paths.length === 0 ? null : { "git.push": where, paths };
  }
  const work = new RegExp(`^(?:work on|use the repository) (${REPO})$`, "i").exec(words);
  if (work?.[1] !== undefined) return { "git.push": work[1], paths: [] };
  const run = /^run `?(.+?)`?$/is.exec(words);
  if (run?.[1] !== undefined) return { command: run[1] };
  const reach =
    /^(?:reach|fetch|call|get) (?:(GET|HEAD|OPTIONS|POST|PUT|PATCH|DELETE) )?<?(?:(https?):\/\/)?([a-z0-9.-]+(?::\d{1,5})?)(\/[^\s>|]*)?(?:\|[^>]*)?>?$/i.exec(
      words,
    );
  if (reach !== null) {
    const [, method = "GET", scheme = "https", host = "", path = "/"] = reach;
    return { http: `${method.toUpperCase()} ${scheme.toLowerCase()}://${host}${path}` };
  }
  const use = /^use (?:the )?(model|secret|tool) `?([\w./-]+)`?$/i.exec(words);
  if (use?.[2] !== undefined) {
    const what = (use[1] ?? "").toLowerCase();
    // Under another name nothing is ever asked, and a word about it would be believed.
    return what === "tool" && toolProblem(use[2]) !== null ? null : { [what]: use[2] };
  }
  if (/^open (?:a |the )?(?:draft )?pull request$/i.test(words)) return { action: "pr.open", draft: true };
  if (/^merge\b/i.test(words)) return { action: "pr.merge" };
  if (/^deploy\b/i.test(words)) return { action: "deploy.production" };
  return null;
}
