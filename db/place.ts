/** Where a database is, and how it is reached. */
export type DatabasePlace = EmbeddedPlace | PostgresPlace;

export interface EmbeddedPlace {
  readonly kind: "pglite";
  /** As it was written; `null`: in memory. */
  readonly folder: string | null;
}

export interface PostgresPlace {
  readonly kind: "postgres";
  /** "neon": Postgres inside a WebSocket, as Neon's own driver speaks it. */
  readonly driver: "pg" | "neon";
  /** Reaches a session of our own: what listens, locks or is written goes here. */
  readonly url: string;
  /** Through a transaction pooler, for what is only read; `null`: that goes to `url` too. */
  readonly pooledUrl: string | null;
  /** WebSocket proxy that stands in for Neon's own; only with "neon". */
  readonly proxy: string | null;
}

/** As the operator gives it. Any of the URLs may be a pooled one of Neon's; its name says so. */
export interface GivenPlace {
  readonly url: string;
  readonly directUrl?: string | undefined;
  readonly pooledUrl?: string | undefined;
  readonly proxy?: string | undefined;
}

/** An address at Neon: "ep-cool-dew-a1b2c3-pooler.c-2.eu-central-1.aws.neon.tech". */
interface Endpoint {
  readonly id: string;
  readonly pooled: boolean;
  readonly domain: string;
}

const POOLER = "-pooler";
const NEON = ".neon.tech";
const PORT = "5432";

/** The connection string of Neon's console, in the words of their page. */
const COPY_IT = "copy the connection string of the project's branch: its host is ep-NAME-ID.REGION.aws.neon.tech";

/**
 * Understands what was given. At Neon either of an endpoint's two addresses tells the other. A text: what is wrong,
 * with the variable's name.
 */
export function databasePlace(given: GivenPlace): DatabasePlace | string {
  const { url, directUrl, pooledUrl, proxy } = given;
  const extra = Object.entries({
    DATABASE_DIRECT_URL: directUrl,
    DATABASE_POOLED_URL: pooledUrl,
    NEON_WS_PROXY: proxy,
  }).find(([, value]) => value !== undefined);
  if (url.startsWith("pglite:")) {
    if (extra !== undefined)
      return `${extra[0]} is about a Postgres server, and the database is embedded: set DATABASE_URL, or unset it`;
    const folder = url.slice("pglite:".length);
    return { kind: "pglite", folder: folder === "memory" ? null : folder };
  }
  const urls = { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl, DATABASE_POOLED_URL: pooledUrl };
  for (const [name, value] of Object.entries(urls)) {
    const problem = value === undefined ? null : problemOf(value);
    if (problem !== null) return `${name} ${problem}`;
  }
  return postgresPlace(given);
}

function postgresPlace({ url, directUrl, pooledUrl, proxy }: GivenPlace): PostgresPlace | string {
  const driver = proxy !== undefined || isNeon(url) || (directUrl !== undefined && isNeon(directUrl)) ? "neon" : "pg";
  const direct = directUrl ?? withPooler(url, false);
  if (endpointOf(direct)?.pooled === true)
    return `DATABASE_DIRECT_URL names Neon's pooler, which cannot listen or hold a lock: take "${POOLER}" out of its host`;
  const pooled = pooledUrl ?? (endpointOf(url) === null ? null : withPooler(url, true));
  const [one, other] = [endpointOf(direct), pooled === null ? null : endpointOf(pooled)];
  if (pooled !== null && one?.id !== other?.id)
    return `${pooledUrl === undefined ? "DATABASE_DIRECT_URL" : "DATABASE_POOLED_URL"} names another endpoint than the other URL: what was just written must be read there, and a replica lags behind`;
  if (pooled !== null && new URL(pooled).pathname !== new URL(direct).pathname)
    return "DATABASE_URL, DATABASE_DIRECT_URL and DATABASE_POOLED_URL name different databases";
  return { kind: "postgres", driver, url: direct, pooledUrl: pooled, proxy: proxy ?? null };
}

const isNeon = (url: string): boolean => hostOf(url).endsWith(NEON);
const hostOf = (url: string): string => new URL(url).hostname.toLowerCase();

/** `null`: it can be tried. */
function problemOf(url: string): string | null {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) return "is not postgres://USER:PASSWORD@HOST/DATABASE";
  if (!isNeon(url)) return null;
  const { port, username, password, pathname } = new URL(url);
  if (endpointOf(url) === null) return `names ${hostOf(url)}, which is no endpoint of a Neon project: ${COPY_IT}`;
  if (port !== "" && port !== PORT) return `names port ${port}, and Neon answers on ${PORT} alone: leave the port out`;
  if (username === "" || password === "" || pathname.length < 2)
    return `lacks a user, a password or a database, and Neon wants all three: ${COPY_IT}`;
  return null;
}

/** `null`: not an endpoint of Neon's. */
function endpointOf(url: string): Endpoint | null {
  const host = hostOf(url);
  const [, name = "", domain = ""] = /^(ep-[a-z0-9-]+)\.((?:[a-z0-9-]+\.)+neon\.tech)$/.exec(host) ?? [];
  if (name === "") return null;
  const pooled = name.endsWith(POOLER);
  return { id: pooled ? name.slice(0, -POOLER.length) : name, pooled, domain };
}

/** The same database through Neon's pooler, or past it; any other URL as it is. */
function withPooler(url: string, pooled: boolean): string {
  const endpoint = endpointOf(url);
  if (endpoint === null || endpoint.pooled === pooled) return url;
  const other = new URL(url);
  other.hostname = `${endpoint.id}${pooled ? POOLER : ""}.${endpoint.domain}`;
  return other.href;
}
