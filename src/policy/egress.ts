import type { RuleRef } from "./decision.ts";
import { cutGlob, type PathGlob, pathMatcher } from "./match/glob.ts";
import { base, matchesHost } from "./match/hosts.ts";

/** One granted way out. "intercept" when it names methods, paths or a secret; "tunnel" is not inspected. */
export interface EgressRule {
  /** Lower-case ASCII. `*.x`: one label; `**.x`: any depth; the apex is never implied. */
  readonly host: string;
  readonly ports: readonly number[];
  readonly mode: "tunnel" | "intercept";
  /** Empty: any. */
  readonly methods: readonly string[];
  /** Globs; empty: any. */
  readonly paths: readonly string[];
  /** CIDR ranges in which a private answer is accepted. */
  readonly private: readonly string[];
  readonly maxBodyBytes: number | null;
  readonly secret: { readonly name: string; readonly header: string } | null;
  /** What rules take away from the grant. */
  readonly denied?: readonly EgressDenial[];
  readonly rule: RuleRef;
}

/** A refusal inside a grant. Empty lists: any. */
export interface EgressDenial {
  readonly hosts: readonly string[];
  readonly except: readonly string[];
  readonly methods: readonly string[];
  readonly paths: readonly string[];
  readonly rule: RuleRef;
}

export interface EgressRequest {
  /** As `normaliseHost` returns it. */
  readonly host: string;
  readonly port: number;
  /** Upper case; `null` when it is not known yet (CONNECT). */
  readonly method: string | null;
  /** From "/" on, decoded once, without dot segments; a query is ignored. `null` when it is not known yet. */
  readonly path: string | null;
}

export type EgressVerdict =
  | { readonly outcome: "allow"; readonly rule: EgressRule }
  | {
      readonly outcome: "deny";
      readonly reason: "no_rule" | "port" | "method" | "path" | "rule";
      /** For "rule" the one that denies, else the grant that came nearest; `null` for "no_rule". */
      readonly rule: RuleRef | null;
    };

/** A grant and its URL patterns, cut. */
interface CutGrant {
  readonly rule: EgressRule;
  readonly paths: readonly PathGlob[];
}

/** With a secret before inspected before not inspected, then by what is written: where it is written never matters. */
function first(grants: readonly CutGrant[]): EgressRule | null {
  if (grants.length < 2) return grants[0]?.rule ?? null;
  const weight = (rule: EgressRule) => (rule.mode === "intercept" ? (rule.secret === null ? 1 : 0) : 2);
  const written = ({ rule, secret, maxBodyBytes }: EgressRule) =>
    `${rule.text} ${secret?.name} ${secret?.header} ${maxBodyBytes} ${rule.at}`;
  const rules = grants.map(({ rule }) => rule);
  return rules.sort((a, b) => weight(a) - weight(b) || (written(a) < written(b) ? -1 : 1))[0] ?? null;
}

/**
 * Whether some grant holds the request. Nothing else does: no rules, no way out.
 *
 * With `method` or `path` null the answer is about the host and port only. When the rule in that answer is `intercept`,
 * end the TLS and ask again with both; when you cannot, refuse.
 */
export function decideEgress(rules: readonly EgressRule[], request: EgressRequest): EgressVerdict {
  const { port, method, path } = request;
  const near = about(rules, request.host);
  if (near.length === 0) return { outcome: "deny", reason: "no_rule", rule: null };
  const names = path === null ? null : pathMatcher(withoutQuery(path));
  const denial = denialOf(near, request, names);
  if (denial !== null) return { outcome: "deny", reason: "rule", rule: denial };
  const refuse = (reason: "port" | "method" | "path", nearest: readonly CutGrant[]): EgressVerdict => ({
    outcome: "deny",
    reason,
    rule: first(nearest)?.rule ?? null,
  });
  const onPort = ({ rule }: CutGrant) => rule.ports.includes(port);
  const withMethod = ({ rule }: CutGrant) =>
    method === null || rule.methods.length === 0 || rule.methods.includes(method);
  const onPath = ({ paths }: CutGrant) => names === null || paths.length === 0 || paths.some(names);
  const rule = first(near.filter((one) => onPort(one) && withMethod(one) && onPath(one)));
  if (rule !== null) return { outcome: "allow", rule };

  const reached = near.filter(onPort);
  if (reached.length === 0) return refuse("port", near);
  // A rule that grants this very path to another method came nearer than one that grants another path to this one.
  const other = reached.filter(onPath);
  if (other.length > 0) return refuse("method", reached.some(withMethod) ? other : reached);
  const some = reached.filter(withMethod);
  return refuse("path", some.length > 0 ? some : reached);
}

interface HostIndex {
  readonly named: ReadonlyMap<string, readonly CutGrant[]>;
  /** Wildcards, by the part behind them; those of every host are under "**". */
  readonly wild: ReadonlyMap<string, readonly CutGrant[]>;
  /** Whether a wildcard is of any depth. Where none is, only what is behind the first dot can be named by one. */
  readonly deep: boolean;
}

const HOSTS = new WeakMap<readonly EgressRule[], HostIndex>();

function hostIndex(rules: readonly EgressRule[]): HostIndex {
  let index = HOSTS.get(rules);
  if (index === undefined) {
    const grants = rules.map((rule): CutGrant => ({ rule, paths: rule.paths.map(cutGlob) }));
    const [wild, named] = [true, false].map((one) => grants.filter(({ rule }) => rule.host.startsWith("*") === one));
    index = {
      named: Map.groupBy(named ?? [], ({ rule }) => rule.host),
      wild: Map.groupBy(wild ?? [], ({ rule }) => base(rule.host)),
      deep: rules.some((rule) => rule.host.startsWith("**.")),
    };
    HOSTS.set(rules, index);
  }
  return index;
}

const NONE: readonly CutGrant[] = [];

/** The grants whose pattern has the host: by its name, by each part of it behind a dot, and those of every host. */
function about(rules: readonly EgressRule[], host: string): readonly CutGrant[] {
  const { named, wild, deep } = hostIndex(rules);
  const found = named.get(host) ?? NONE;
  if (wild.size === 0) return found;
  let wider: readonly CutGrant[] = wild.get("**") ?? NONE;
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    const behind = wild.get(host.slice(dot + 1))?.filter(({ rule }) => matchesHost(rule.host, host)) ?? NONE;
    if (behind.length > 0) wider = [...wider, ...behind];
    if (!deep) break;
  }
  return wider.length === 0 ? found : [...found, ...wider];
}

/** A denial limited to methods or paths waits until these are known: its grants are inspected (see decide/denials.ts). */
function denialOf(
  grants: readonly CutGrant[],
  { host, method }: EgressRequest,
  names: ((glob: PathGlob) => boolean) | null,
): RuleRef | null {
  const named = (globs: readonly string[]) => globs.some((glob) => matchesHost(glob, host));
  for (const grant of grants) {
    for (const { hosts, except, methods, paths, rule } of grant.rule.denied ?? []) {
      if (!named(hosts) || named(except)) continue;
      if (methods.length > 0 && (method === null || !methods.includes(method))) continue;
      if (paths.length > 0 && (names === null || !paths.some((glob) => names(cutGlob(glob))))) continue;
      return rule;
    }
  }
  return null;
}

function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

/** What nearly every name looks like, when it is no longer than a label may be; anything else takes the longer way. */
const PLAIN = /^[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*$/;
const LABEL_AT_MOST = 63;

/** Of what is not ASCII the one form is decided by IDNA, as the gateway does. */
const LABEL = /^[a-zA-Z0-9_\u0080-\uffff](?:[a-zA-Z0-9_\u0080-\uffff-]*[a-zA-Z0-9_\u0080-\uffff])?$/;
const ASCII = /^[\u0020-\u007e]*$/;

/**
 * A host name in the one form that rules have: ASCII letters small, one trailing dot removed, other alphabets as their
 * xn-- form. `null` when it is no host name (empty labels, spaces, "%", NUL, longer than 253, letters that no name may
 * have). An IPv4 address passes as a name and matches no rule; an IPv6 literal does not pass.
 */
export function normaliseHost(text: string): string | null {
  if (text.length <= LABEL_AT_MOST && PLAIN.test(text)) return text;
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (!isName(name)) return null;
  if (ASCII.test(name)) return name.toLowerCase();
  // The host parser of URLs is the one that every client has; what else may stand in a URL is no part of a label.
  const ascii = URL.parse(`http://${name}`)?.hostname ?? "";
  return isName(ascii) ? ascii : null;
}

const isName = (name: string): boolean =>
  name.length > 0 &&
  name.length <= 253 &&
  name.split(".").every((label) => label.length <= LABEL_AT_MOST && LABEL.test(label));
