import type { Path } from "./document.ts";
import type { EgressRule } from "./egress.ts";
import { matchesHost, tooBroad } from "./hosts.ts";
import { BROKERED, type Preset, type SiteConfig, type Team } from "./policy.ts";
import { nth, type Reading } from "./rules.ts";
import type { CeilingEgressShape, EgressShape } from "./schema.ts";
import { sizeBytes } from "./units.ts";

type Entry = EgressShape | CeilingEgressShape;

const DEFAULT_PORTS = [443] as const;

function textOf(entry: Entry): string {
  if (entry.preset !== undefined) return `egress preset ${entry.preset}`;
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
    rule: { at, text: textOf(entry), why: null },
  };
}

/** Complaints about what a granted host would open. */
function checkHost(reading: Reading, entry: EgressShape & { host: string }, path: Path, site: SiteConfig): void {
  const { source, problems } = reading;
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
      message: `"${entry.host}" covers ${upstream}, which the operator configures - grant its preset`,
    });
  }
  const inspects = ["methods", "paths", "secret", "max_body"].find((key) => Object.hasOwn(entry, key));
  if (entry.mode === "tunnel" && inspects !== undefined) {
    problems.push({
      at: source.at([...path, "mode"]),
      message: `a tunnel is not inspected - remove mode, or "${inspects}"`,
    });
  }
}

export interface Grants {
  readonly egress: EgressRule[];
  readonly presets: Team["presets"][number][];
  /** Presets of the site that are granted and not configured there. */
  readonly unserved: { readonly at: string; readonly preset: string }[];
}

function isBrokered(preset: string): preset is Preset {
  return (BROKERED as readonly string[]).includes(preset);
}

/** Compiles the egress entries at `path`. Complaints go to `reading.problems`. */
export function compileGrants(
  reading: Reading,
  entries: readonly (EgressShape | null)[],
  path: Path,
  site: SiteConfig,
): Grants {
  const grants: Grants = { egress: [], presets: [], unserved: [] };
  entries.forEach((entry, index) => {
    if (entry === null) return;
    const here = [...path, index];
    const at = reading.source.at(here);
    const { host, preset } = entry;
    if (host !== undefined) {
      checkHost(reading, { ...entry, host }, here, site);
      grants.egress.push(egressRule({ ...entry, host }, at));
    } else if (preset !== undefined && isBrokered(preset)) {
      if (entry.repos !== undefined) {
        reading.problems.push({
          at: nth(reading.source, [...here, "repos"], 0),
          message: `${preset} has no repositories`,
        });
      }
      grants.presets.push({ name: preset, ref: { at, text: textOf(entry), why: null } });
      if (site.presets !== undefined && !site.presets.includes(preset)) grants.unserved.push({ at, preset });
    } else if (preset !== undefined) {
      reading.problems.push({
        at: reading.source.at([...here, "preset"]),
        message: `the preset "${preset}" is not served by this version - known: ${BROKERED.join(", ")}`,
      });
    }
  });
  return grants;
}
