import type { EgressDenial, EgressRule } from "#policy/egress.ts";
import { containsHost } from "#policy/match/hosts.ts";
import type { Rule } from "#policy/policy.ts";

function overlap(a: string, b: string): boolean {
  return containsHost(a, b) || containsHost(b, a);
}

function denialOf(rule: Rule): EgressDenial {
  const { globs, except, methods, paths, ref } = rule;
  return { hosts: globs, except, methods, paths, rule: ref };
}

/** Takes what the rules deny out of the grants. A denial of a method or path needs a look inside: no tunnel stays there. */
export function withoutDenied(grants: readonly EgressRule[], rules: readonly Rule[]): EgressRule[] {
  const denials = rules
    .filter((rule) => rule.subject === "egress.host" && rule.effect === "deny")
    .map(denialOf)
    // The one that is named is the first that fits, wherever they are written.
    .sort((a, b) => (`${a.rule.text} ${a.rule.at}` < `${b.rule.text} ${b.rule.at}` ? -1 : 1));
  return grants.map((grant) => {
    const denied = denials.filter((denial) => denial.hosts.some((host) => overlap(host, grant.host)));
    const looksInside = denied.some(({ methods, paths }) => methods.length + paths.length > 0);
    if (denied.length === 0) return grant;
    return { ...grant, denied, mode: looksInside ? "intercept" : grant.mode };
  });
}
