import type { CheckReport } from "#ports/repo-host.ts";
import { type Access, CHECKS, partsOf } from "./access.ts";
import type { Api } from "./client.ts";
import { told } from "./failures.ts";

/** The check run that a branch rule may require: it sums up all of ours. */
export const CHECK_NAME = "countersign";
/** What each single report is called on GitHub. */
export const nameOf = (report: string): string => `${CHECK_NAME} / ${report}`;

/** docs.github.com, "Create a check run": 65,535 characters. */
const SUMMARY_MOST = 65_000;

/** A report is a check run of its own, and one more says how all of ours on this commit came out. */
export async function report(
  access: Access,
  slug: string,
  repo: string,
  oid: string,
  checks: readonly CheckReport[],
): Promise<void> {
  const api = await access.client(repo, CHECKS);
  const at = { ...partsOf(repo), oid };
  const before = await told(`to read the checks of ${oid.slice(0, 12)} in ${repo}`, () => ours(api, at, slug));
  const after = new Map([...before].map(([name, { id, conclusion }]) => [name, { id, conclusion }]));
  for (const check of checks) {
    const name = nameOf(check.name);
    await told(`to report the check ${check.name} on ${repo}`, () =>
      put(api, at, before.get(name)?.id, { ...check, name }),
    );
    after.set(name, { id: 0, conclusion: check.conclusion });
  }
  const single = [...after].filter(([name]) => name !== CHECK_NAME);
  const sum = summed(single.map(([name, { conclusion }]) => ({ name, conclusion })));
  await told(`to report the checks of ${repo}`, () => put(api, at, before.get(CHECK_NAME)?.id, sum));
}

async function ours(
  api: Api,
  at: { owner: string; repo: string; oid: string },
  slug: string,
): Promise<ReadonlyMap<string, { id: number; conclusion: string | null }>> {
  const { owner, repo, oid: ref } = at;
  const runs = await api.paginate(api.rest.checks.listForRef, { owner, repo, ref, filter: "latest", per_page: 100 });
  const named = runs.filter((run) => run.name === CHECK_NAME || run.name.startsWith(`${CHECK_NAME} / `));
  // Only whoever made a check run may change it; another App may have one of that name.
  const mine = named.filter((run) => run.app === null || run.app.slug === slug);
  return new Map(mine.map(({ name, id, conclusion }) => [name, { id, conclusion }]));
}

async function put(
  api: Api,
  { owner, repo, oid }: { owner: string; repo: string; oid: string },
  id: number | undefined,
  { name, conclusion, summary }: CheckReport,
): Promise<void> {
  const said = summary.trim() === "" ? conclusion : summary.slice(0, SUMMARY_MOST);
  const title = (said.split("\n", 1)[0] ?? "").slice(0, 200);
  const result = { status: "completed", conclusion, output: { title, summary: said } } as const;
  if (id === undefined) await api.rest.checks.create({ owner, repo, name, head_sha: oid, ...result });
  else await api.rest.checks.update({ owner, repo, check_run_id: id, ...result });
}

/** The worst of them; nothing that was checked is not green. */
export function summed(single: readonly { readonly name: string; readonly conclusion: string | null }[]): CheckReport {
  const of = (conclusion: CheckReport["conclusion"]) => single.filter((one) => one.conclusion === conclusion);
  const [red, green] = [of("failure"), of("success")];
  const lines = single.map(
    ({ name, conclusion }) => `- ${name.slice(nameOf("").length)}: ${conclusion ?? "not finished"}`,
  );
  if (single.length === 0) {
    return {
      name: CHECK_NAME,
      conclusion: "neutral",
      summary: "No checks are declared for this repository: nothing was run.",
    };
  }
  const head = `${green.length} of ${single.length} green${red.length > 0 ? `, ${red.length} red` : ""}`;
  const conclusion = red.length > 0 ? "failure" : green.length === single.length ? "success" : "neutral";
  return { name: CHECK_NAME, conclusion, summary: [head, "", ...lines].join("\n") };
}
