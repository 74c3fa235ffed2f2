import { readPolicyFolder } from "#adapters/policy/folder.ts";
import { type Finding, fine, note, wrong } from "#command/doctor.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { unnamedHome } from "#policy/load/warnings.ts";
import type { Policy } from "#policy/policy.ts";
import type { Config } from "./config.ts";
import { policyFolder } from "./places.ts";
import { siteOf } from "./site.ts";

/** The policy as `serve` would load it, with what there is to say of it. `policy: null`: it cannot be seen, or is broken. */
export async function examinePolicy(
  config: Config,
): Promise<{ readonly policy: Policy | null; readonly findings: readonly Finding[] }> {
  const { policyRepository: of } = config;
  if (of !== null) {
    const what = `The policy lies in ${of.repo}, branch ${of.branch}, and is read when the service starts.`;
    const fix =
      "Routed channels and user groups are looked at when doctor has a checkout: COUNTERSIGN_POLICIES=/path/of/it.";
    return { policy: null, findings: [note("policy", what, fix)] };
  }
  const dir = policyFolder(config);
  let files: Map<string, string>;
  try {
    files = await readPolicyFolder(dir);
  } catch (error) {
    const what = `The policy folder ${dir} cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
    return { policy: null, findings: [wrong("policy.folder", what, "Name the folder with COUNTERSIGN_POLICIES.")] };
  }
  const site = siteOf(config, new Date());
  const loaded = loadPolicy(files, { commit: "doctor", site });
  if (loaded.ok) {
    const { policy } = loaded;
    const home = unnamedHome(policy, site);
    const unnamed = home === null ? [] : [note("policy.repository", `${home.at} ${home.what}.`, `${home.way}.`)];
    return { policy, findings: [fine("policy", `The policy in ${dir} loads.`), ...unnamed] };
  }
  return {
    policy: null,
    findings: loaded.problems.map(({ at, message }) =>
      wrong("policy.problem", `${at} ${message}`, "Mend that line: until then everything is refused."),
    ),
  };
}
