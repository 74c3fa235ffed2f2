import type { Broker } from "./data.ts";
import { refuse } from "./denial.ts";
import type { Ledger } from "./model/ledger.ts";
import { tokenOf } from "./token.ts";
import { admit, admitCarrier, type Wall } from "./wall.ts";

export const RUN_POLICY_PATH = "/.well-known/run-policy";

/** What this run may do, so that an agent plans instead of trying. Says nothing that a denial would not say. */
export function runPolicyBroker(wall: Wall, ledger: Ledger): Broker {
  return async ({ carrier, req, res }) => {
    const token = tokenOf(req.headers.authorization) ?? tokenOf(req.headers["proxy-authorization"]);
    const admission = token === null ? admitCarrier(wall, carrier) : admit(wall, token, carrier);
    if (!admission.ok) return refuse(res, { status: 403, reason: admission.reason, rule: null });
    const { grant } = admission;
    const { left } = ledger;
    const body = JSON.stringify(
      {
        run: grant.run,
        until: grant.expiresAt,
        egress: grant.egress.map(({ host, ports, mode, methods, paths, secret, until, rule }) => ({
          host,
          ports,
          mode,
          methods,
          paths,
          ...(secret === null ? {} : { secret }),
          ...(until === undefined ? {} : { until }),
          rule,
        })),
        models: grant.models,
        budgetLeft: left(grant.run, grant.budget),
        registry: grant.registry && wall.config.registry !== null,
        git: grant.git && {
          repo: grant.git.repo,
          branch: grant.git.branch,
          base: grant.git.base,
          paths: grant.git.paths.map(({ effect, globs, except, rule }) => ({ effect, globs, except, rule })),
          maxBytes: grant.git.maxBytes,
        },
        otherwise: (grant.askable ?? []).length === 0 ? "denied" : "denied, and people may be asked",
      },
      null,
      2,
    );
    res.writeHead(200, { "content-type": "application/json" }).end(`${body}\n`);
  };
}
