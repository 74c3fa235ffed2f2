import type { AuditLine } from "#ports/gateway.ts";
import type { CorpusCase } from "./cases.ts";

/** What was seen when a case was tried. A field is absent when the case has nothing to say about it. */
export interface Outcome {
  readonly decision: "allow" | "deny";
  readonly reason: string;
  readonly status?: number | null;
  readonly upstreamConnects?: number;
  readonly upstreamRequests?: number;
  readonly resolverCalls?: number;
  readonly dialled?: string | null;
  /** Header names and lines, lower-cased names, as the origin got them. */
  readonly upstreamHeaders?: readonly string[];
  readonly upstreamBytes?: string;
  readonly clientBytes?: string;
  readonly logBytes?: string;
  readonly secretSentUpstream?: boolean;
  readonly first?: "allow" | "deny";
  readonly followed?: boolean;
  /** What became of a redirect that the client followed. */
  readonly redirected?: "allow" | "deny";
  readonly closed?: boolean;
  readonly alert?: boolean;
  readonly overspentPct?: number;
  readonly forgeRefsChanged?: number;
  /** Anything else that is not as it must be, in words. */
  readonly faults?: readonly string[];
}

/** Where the outcome is not what the corpus expects. Empty: the case passes. */
export function differences(each: CorpusCase, seen: Outcome): string[] {
  const { expect } = each;
  const found: string[] = [...(seen.faults ?? [])];
  const same = (what: string, wanted: unknown, got: unknown) => {
    if (wanted !== undefined && wanted !== null && wanted !== got)
      found.push(`${what}: expected ${wanted}, got ${got}`);
  };
  same("decision", expect.decision, seen.decision);
  same("reason", expect.reason, seen.reason);
  same("status", expect.status, seen.status);
  if (expect.status_in && !expect.status_in.includes(seen.status ?? 0)) found.push(`status: got ${seen.status}`);
  same("upstream connections", expect.upstream_connects, seen.upstreamConnects);
  same("upstream requests", expect.upstream_requests, seen.upstreamRequests);
  same("resolver calls", expect.resolver_calls, seen.resolverCalls);
  same("dialled", expect.dialled, seen.dialled);
  same("secret sent upstream", expect.secret_sent_upstream, seen.secretSentUpstream);
  same("first", expect.first, seen.first);
  same("gateway followed", expect.gateway_followed, seen.followed);
  same("then", expect.then?.decision, seen.redirected);
  same("alert", expect.alert, seen.alert);
  if (expect.closed_within_ms !== undefined) same("closed", true, seen.closed);
  same("forge refs changed", expect.forge_refs_changed, seen.forgeRefsChanged);
  const lacks = (what: string, needle: string | undefined, hay: string | undefined) => {
    if (needle !== undefined && (hay === undefined || hay.includes(needle))) found.push(`${what} has ${needle}`);
  };
  const names = seen.upstreamHeaders?.map((line) => line.slice(0, line.indexOf(":"))).join("\n");
  if (expect.upstream_lacks_header !== undefined) lacks("upstream header names", expect.upstream_lacks_header, names);
  lacks("upstream body", expect.upstream_lacks_bytes, seen.upstreamBytes);
  lacks("client bytes", expect.client_lacks_bytes, seen.clientBytes);
  lacks("audit log", expect.log_lacks_bytes, seen.logBytes);
  if (expect.upstream_header !== undefined) {
    const wanted = expandBase64(expect.upstream_header);
    if (!seen.upstreamHeaders?.includes(wanted)) found.push(`upstream header: expected "${wanted}"`);
  }
  if (
    expect.spent_lte_budget_plus_pct !== undefined &&
    !((seen.overspentPct ?? 100) <= expect.spent_lte_budget_plus_pct)
  ) {
    found.push(`overspent by ${seen.overspentPct} %`);
  }
  return found;
}

/** "b64(text)" is how the corpus writes a Base64 value. */
export function expandBase64(text: string): string {
  return text.replace(/b64\(([^)]*)\)/g, (_whole, inner: string) => Buffer.from(inner).toString("base64"));
}

type Ruling = Extract<AuditLine, { outcome: "allow" | "deny" }>;

/** The decision the audit log holds for one sandbox; a deny must be there exactly once, with the run's name. */
export function decisionIn(lines: readonly AuditLine[], run: string): Pick<Outcome, "decision" | "reason" | "faults"> {
  const rulings = lines.filter((line): line is Ruling => "outcome" in line);
  const denied = rulings.filter((line) => line.outcome === "deny");
  const [only] = denied;
  const faults: string[] = [];
  if (denied.length > 1) faults.push(`${denied.length} deny lines`);
  if (rulings.some((line) => line.run !== run)) faults.push("an audit line without the run's name");
  if (only) return { decision: "deny", reason: only.reason, faults };
  if (rulings.length === 0) faults.push("no audit line");
  return { decision: "allow", reason: rulings[0]?.reason ?? "", faults };
}
