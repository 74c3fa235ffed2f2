import type { EgressRule } from "#policy/egress.ts";
import { matchesHost, tooBroad } from "#policy/match/hosts.ts";
import { sizeBytes } from "#policy/match/units.ts";
import type { PolicyProblem, Team } from "#policy/policy.ts";
import { isBrokered, isServed, type PresetGrant, presetRules } from "#policy/presets.ts";
import type { CeilingEgressShape, EgressShape } from "#policy/shapes/egress.ts";
import type { Path } from "./document.ts";
import { nth, type Reading } from "./rules.ts";

type Entry = EgressShape | CeilingEgressShape;

const DEFAULT_PORTS = [443] as const;

export function egressText(entry: Entry): string {
  const repos = entry.repos === undefined ? "" : ` repos ${entry.repos.join(", ")}`;
  if (entry.preset !== undefined) return `egress preset ${entry.preset}${repos}`;
  const parts = [`egress ${entry.host}`];
  if (entry.ports !== undefined) parts.push(`ports ${entry.ports.join(", ")}`);
  if (entry.methods !== undefined) parts.push(entry.methods.join(", "));
  if (entry.paths !== undefined) parts.push(entry.paths.join(", "));
  return parts.join(" ");
}

/** The compiled form of one host entry, of a team or of the ceiling. */
export function egressRule(entry: Entry & { host: string }, at: string): EgressRule {
  const secret = "secret" in entry ? entry.secret : undefined;
  const maxBody = "max_body" in entry ? entry.max_body : undefined;
  const inspected = [entry.methods, entry.paths, secret, maxBody].some((value) => value !== undefined);
  return {
    host: entry.host,
    ports: entry.ports ?? DEFAULT_PORTS,
    mode: inspected || entry.mode === "intercept" ? "intercept" : "tunnel",
    methods: entry.methods ?? [],
    paths: entry.paths ?? [],
    private: entry.private ?? [],
    maxBodyBytes: maxBody === undefined ? null : sizeBytes(maxBody),
    secret:
      secret === undefined
        ? null
        : typeof secret === "string"
          ? { name: secret, header: "authorization" }
          : { name: secret.name, header: secret.header ?? "authorization" },
    rule: { at, text: egressText(entry), why: null },
  };
}

/** Complaints about what a granted host would open. */
function checkHost(reading: Reading, entry: EgressShape & { host: string }, path: Path): void {
  const { source, problems, site } = reading;
  const at = source.at([...path, "host"]);
  const broad = tooBroad(entry.host);
  const accepted = entry.i_accept_shared_host !== undefined && entry.host !== "**";
  if (broad !== null && !accepted) {
    const way = entry.host === "**" ? "" : " - name one host of yours, or say why with i_accept_shared_host";
    problems.push({ at, message: `"${entry.host}" ${broad}${way}` });
  }
  const upstream = site.upstreams?.find((host) => matchesHost(entry.host, host));
  if (upstream !== undefined) {
    problems.push({
      at,
      message:
        entry.host === upstream
          ? `"${upstream}" is configured by the operator - grant its preset`
          : `"${entry.host}" covers ${upstream}, which the operator configures - grant its preset`,
    });
  }
  checkForm(reading, entry, path);
}

/** Complaints about what a host entry says and could not have: of a grant and of the ceiling alike. */
function checkForm({ source, problems }: Reading, entry: Entry, path: Path): void {
  const inspects = ["methods", "paths", "secret", "max_body"].find((key) => Object.hasOwn(entry, key));
  if (entry.mode === "tunnel" && inspects !== undefined) {
    problems.push({
      at: source.at([...path, "mode"]),
      message: `a tunnel is not inspected - remove mode, or "${inspects}"`,
    });
  }
  if (entry.repos !== undefined) {
    problems.push({
      at: source.keyAt([...path, "repos"]),
      message: '"repos" belongs to a preset - a host has "paths"',
    });
  }
}

/** Complaints about the ceiling's entries: what would be read and have no effect, and what would hold every grant. */
export function checkCeiling(reading: Reading, entries: readonly (CeilingEgressShape | null)[], path: Path): void {
  const { source, problems } = reading;
  entries.forEach((entry, index) => {
    if (entry === null) return;
    const here = [...path, index];
    if (entry.host === undefined) {
      const problem = presetProblem(reading, entry, here);
      if (problem !== null) problems.push(problem);
      if (entry.only !== undefined) {
        const message = '"only" belongs to a host - a person adds a host for one run, and never a preset';
        problems.push({ at: source.keyAt([...here, "only"]), message });
      }
      return;
    }
    checkForm(reading, entry, here);
    if (entry.host === "**" && entry.only === undefined) {
      problems.push({ at: source.at([...here, "host"]), message: `"**" ${tooBroad("**")}` });
    }
  });
}

export interface Grants {
  readonly egress: EgressRule[];
  readonly presets: (Team["presets"][number] & PresetGrant)[];
  /** Presets of the site that are granted and not configured there. */
  readonly unserved: { readonly at: string; readonly preset: string }[];
}

/** What is wrong with the repositories of a preset, with its place, or null. */
function presetProblem(reading: Reading, entry: Entry, path: Path): PolicyProblem | null {
  const preset = entry.preset as string;
  if (preset === "github" && entry.repos === undefined) {
    return { at: reading.source.at([...path, "preset"]), message: 'github needs "repos" - it is shared by everybody' };
  }
  if (preset !== "github" && entry.repos !== undefined) {
    return {
      at: nth(reading.source, [...path, "repos"], 0),
      message: `${preset} has no repositories - remove "repos"`,
    };
  }
  return null;
}

/** Compiles the egress entries at `path`. Complaints go to `reading.problems`. */
export function compileGrants(reading: Reading, entries: readonly (EgressShape | null)[], path: Path): Grants {
  const grants: Grants = { egress: [], presets: [], unserved: [] };
  entries.forEach((entry, index) => {
    if (entry === null) return;
    const here = [...path, index];
    const at = reading.source.at(here);
    const { host, preset } = entry;
    if (host !== undefined) {
      checkHost(reading, { ...entry, host }, here);
      grants.egress.push(egressRule({ ...entry, host }, at));
    } else if (preset !== undefined) {
      const problem = presetProblem(reading, entry, here);
      if (problem !== null) reading.problems.push(problem);
      const ref = { at, text: egressText(entry), why: null };
      grants.presets.push({ name: preset, repos: entry.repos ?? [], ref });
      if (!isServed(preset, reading.site)) grants.unserved.push({ at, preset });
      if (!isBrokered(preset)) grants.egress.push(...presetRules(preset, entry.repos ?? [], reading.site, ref));
    }
  });
  return grants;
}
