import path from "node:path";
import { z } from "zod";
import type { DatabasePlace } from "#db/place.ts";
import { Secret } from "#ports/secret.ts";
import { isLoopback } from "./address.ts";
import { databaseOf, databaseSettings } from "./database-place.ts";
import { type GithubAppPlace, githubAppOf, githubSettings } from "./github-place.ts";
import { type DaytonaPlace, type DoorPlace, daytonaOf, doorOf } from "./hosted-place.ts";
import { type LinearPlace, linearOf, linearSettings } from "./linear-place.ts";
import { type PolicyRepository, policyRepositoryOf } from "./policy-place.ts";
import { type SignInPlace, signInOf } from "./sign-in-place.ts";
import { type SlackPlace, slackOf, slackSettings } from "./slack-place.ts";

const secret = (name: string) =>
  z
    .string()
    .min(1, "is empty: unset it or give it a value")
    .transform((value) => new Secret(name, value))
    .optional();

const url = z.url({ protocol: /^https?$/, error: "is not an http(s) URL" }).optional();

/** Packages come over TLS, on its own port: that is what a preset grants. */
const https = z
  .url({ protocol: /^https$/, error: "is not an https:// URL" })
  .refine((text) => new URL(text).port === "", "names a port, and only 443 is granted")
  .optional();

const HostName = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])$/);

const list = <Item extends z.ZodType<string>>(item: Item, error: string) =>
  z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .refine((parts) => parts.every((part) => item.safeParse(part).success), error)
    .default([]);

/** Every variable we read, with the sentence for the documentation. Anything else in the environment is not ours. */
export const Environment = z.object({
  PORT: z.coerce
    .number({ error: "is not a number" })
    .int()
    .min(0)
    .max(65_535)
    .default(3000)
    .describe("Port of the pages and of Slack's requests."),
  COUNTERSIGN_HEALTH_PORT: z.coerce
    .number({ error: "is not a number" })
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe(
      "Port of this machine alone at which a process of any role answers GET /health, for a health check; none when absent. The image has 3001.",
    ),
  HOST: z.string().default("127.0.0.1").describe("Address to listen on. The local Slack page accepts only loopback."),
  PUBLIC_URL: url.describe("Address that people open, when it is not http://HOST:PORT."),
  COUNTERSIGN_DATA: z.string().default(".countersign").describe("Folder of everything we keep."),
  COUNTERSIGN_POLICIES: z
    .string()
    .optional()
    .describe(
      "Folder of the policy files, or URL#BRANCH[:FOLDER] of a git repository that holds them (local:OWNER/NAME for the local git host); the sample organisation when absent.",
    ),
  COUNTERSIGN_POLICIES_TOKEN: secret("policies_token").describe(
    "Token that may read the policy's repository over https.",
  ),
  COUNTERSIGN_POLICIES_WEBHOOK: secret("policies_webhook").describe(
    "Secret of a webhook that says the policy may have changed: POST /policy/look, signed as GitHub signs or as a bearer.",
  ),
  COUNTERSIGN_AGENT: z
    .enum(["demo", "opencode"])
    .optional()
    .describe("Agent of new runs; OpenCode when a model is configured."),
  COUNTERSIGN_MODEL: z.string().min(1).optional().describe("Model of new runs, as the model API names it."),
  ...databaseSettings,
  OPENAI_API_KEY: secret("openai_api_key").describe("Key of an OpenAI-compatible model API."),
  OPENAI_BASE_URL: url.describe("Base URL of an OpenAI-compatible model API, ending in /v1."),
  ANTHROPIC_API_KEY: secret("anthropic_api_key").describe("Key of the Anthropic model API."),
  ANTHROPIC_BASE_URL: url.describe("Base URL of an Anthropic-compatible model API, with or without /v1."),
  ...slackSettings(secret, url),
  ...githubSettings(secret, url),
  ...linearSettings(secret, url),
  npm_config_registry: url.describe(
    "Package registry that runs may read; `npm start` sets it from npm's own configuration, and elsewhere it is for you to set.",
  ),
  BWRAP_PATH: z
    .string()
    .min(1)
    .optional()
    .describe("bubblewrap, when it is not in the usual places; `npm start` says where it found it."),
  DAYTONA_API_KEY: secret("daytona_api_key").describe(
    "Key of a Daytona organisation: sandboxes are made there; on this machine when absent.",
  ),
  DAYTONA_API_URL: url.describe("Daytona's API, when it is not https://app.daytona.io/api."),
  DAYTONA_TARGET: z.string().min(1).optional().describe("Daytona's region; the organisation's own when absent."),
  DAYTONA_SNAPSHOT: z
    .string()
    .min(1)
    .optional()
    .describe("Snapshot that a sandbox begins as, with Node, git and bash."),
  DAYTONA_IMAGE: z
    .string()
    .min(1)
    .optional()
    .describe("Container image that a sandbox begins as, in place of a snapshot; node:24-bookworm when absent."),
  COUNTERSIGN_GATEWAY_URL: url.describe(
    "https:// address at which a hosted sandbox reaches the gateway; without it only this machine's do.",
  ),
  COUNTERSIGN_GATEWAY_LISTEN: z
    .string()
    .optional()
    .describe("ADDRESS:PORT at which the gateway listens for that; 0.0.0.0:8443 when absent."),
  COUNTERSIGN_GATEWAY_CERT: z
    .string()
    .min(1)
    .optional()
    .describe("PEM file with the certificate it shows there; one of its own authority when absent."),
  COUNTERSIGN_GATEWAY_KEY: z.string().min(1).optional().describe("PEM file with the certificate's key."),
  COUNTERSIGN_PYPI_INDEX: https.describe(
    "Python package index that the preset pypi-read opens, such as https://packages.example.com/simple/.",
  ),
  COUNTERSIGN_PYPI_FILES: list(https.unwrap(), "is not a list of https:// URLs").describe(
    "Where the index's files lie when that is another host: URLs, separated by commas.",
  ),
  COUNTERSIGN_GO_PROXY: https.describe(
    "Go module proxy that the preset go-read opens, such as https://packages.example.com/go.",
  ),
  COUNTERSIGN_GITHUB_HOSTS: list(HostName, "is not a list of host names").describe(
    "Hosts that the preset github opens when they are not github.com's: web, API and file hosts, separated by commas.",
  ),
  COUNTERSIGN_IDP_FILE: z
    .string()
    .min(1)
    .optional()
    .describe("File of people and groups that the identity provider exports, YAML or JSON."),
  COUNTERSIGN_GITHUB_TOKEN: secret("github_token").describe(
    "Token that may read an organisation's teams on GitHub, for groups and code owners.",
  ),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug"]).default("info").describe("How much is logged."),
});

/** Every setting with its sentence, for the help and the documentation. */
export const SETTINGS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(Environment.shape)
    .map(([name, schema]): [string, string] => [name, schema.description ?? ""])
    .concat([
      [
        "COUNTERSIGN_SECRET_*",
        "A secret that policy may name: COUNTERSIGN_SECRET_CMS_READ is cms-read. A file secrets/cms-read in the data folder does the same.",
      ],
    ]),
);

export interface Config {
  readonly port: number;
  /** `null`: nobody asks how we are. */
  readonly healthPort: number | null;
  /** The environment of a gateway that we start: ours, without that port. A function, as it has every secret in plain text. */
  readonly gatewayEnv: () => Readonly<Record<string, string | undefined>>;
  readonly host: string;
  readonly publicUrl: string | null;
  /** Absolute. */
  readonly dataDir: string;
  /** Absolute; `null`: the sample organisation. */
  readonly policyDir: string | null;
  /** `null`: the policy lies in a folder. */
  readonly policyRepository: PolicyRepository | null;
  /** `null`: nobody may say that the policy has changed. */
  readonly policyWebhook: Secret | null;
  readonly agent: "demo" | "opencode";
  readonly model: string;
  readonly database: DatabasePlace;
  /** Largest number of connections; one more listens. */
  readonly databaseConnections: number;
  readonly models: {
    readonly openai: { readonly baseUrl: string | null; readonly key: Secret | null };
    readonly anthropic: { readonly baseUrl: string | null; readonly key: Secret | null };
  };
  /** `null`: no tickets of Linear. */
  readonly linear: LinearPlace | null;
  readonly registry: string | null;
  readonly pypi: { readonly index: string | null; readonly files: readonly string[] };
  readonly goProxy: string | null;
  /** `null`: github.com's. */
  readonly github: { readonly web: string; readonly api: string; readonly files: readonly string[] } | null;
  /** `null`: the local git host. */
  readonly githubApp: GithubAppPlace | null;
  /** github.com's, or that of an Enterprise server; without a slash at the end. */
  readonly githubApiUrl: string;
  /** Secrets that the environment brought, by the name policy has for them. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Who is in groups that are kept elsewhere; each `null` where it is not configured. */
  readonly people: { readonly githubToken: Secret | null; readonly idpFile: string | null };
  /** `null`: in the usual places. */
  readonly bwrap: string | null;
  /** `null`: sandboxes are made on this machine. */
  readonly daytona: DaytonaPlace | null;
  /** `null`: the gateway is for sandboxes of this machine alone. */
  readonly publicDoor: DoorPlace | null;
  /** `null`: the local page stands in for it. */
  readonly slack: SlackPlace | null;
  /** `null`: the start link opens the pages. */
  readonly signIn: SignInPlace | null;
  /** Names of variables that belong to real outside services: the local Slack page refuses to start beside them. */
  readonly realCredentials: readonly string[];
  readonly logLevel: string;
  /** What finding and running `npm` needs of our environment: its path, home, and what it says of itself. */
  readonly toolEnv: Readonly<Record<string, string>>;
}

/** Every address of this machine. */
const ANY = ["0.0.0.0", "::"];

/** How a browser on this machine reaches what listens on `host`. */
export const hostInUrl = (host: string): string =>
  ANY.includes(host) ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;

/** Which configured API a model is asked of: with both, Anthropic's own models of Anthropic. */
export const apiOf = ({ openai, anthropic }: Config["models"], model: string): "openai" | "anthropic" =>
  anthropic.baseUrl !== null && (openai.baseUrl === null || model.startsWith("claude")) ? "anthropic" : "openai";

const TOOL = /^(PATH|HOME|npm_config_.*|npm_(?:node_)?execpath|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)$/;
const REAL = /^(SLACK_|GITHUB_APP_|GITHUB_WEBHOOK_|LINEAR_|COUNTERSIGN_GITHUB_TOKEN$)/;

/** Something the operator has to mend; its message is all they need to see. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const SECRET = "COUNTERSIGN_SECRET_";

/** "COUNTERSIGN_SECRET_CMS_READ" is "cms-read", and nothing else is: a name with a folder lies in a file. */
function secretsIn(env: Readonly<Record<string, string | undefined>>): ReadonlyMap<string, Secret> {
  const found = Object.entries(env).filter(([name, value]) => name.startsWith(SECRET) && value);
  const bad = found
    .map(([name]) => name)
    .filter((name) => !/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/.test(name.slice(SECRET.length)));
  if (bad.length > 0) {
    throw new ConfigError(
      `${bad.sort().join(", ")}: after ${SECRET} comes a name in capitals, digits and single underscores`,
    );
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a header's value has none
  const broken = found.filter(([, value = ""]) => /[\u0000-\u001f\u007f]/.test(value)).map(([name]) => name);
  if (broken.length > 0)
    throw new ConfigError(`${broken.sort().join(", ")}: a secret is one line, for a header of a request`);
  return new Map(
    found.map(([variable, value = ""]) => {
      const name = variable.slice(SECRET.length).toLowerCase().replaceAll("_", "-");
      return [name, new Secret(name, value)];
    }),
  );
}

function githubOf([web, api, ...files]: readonly string[]): Config["github"] {
  if (web === undefined) return null;
  if (api === undefined)
    throw new ConfigError("COUNTERSIGN_GITHUB_HOSTS names the web host and the API's, in this order");
  return { web, api, files };
}

/** Reads the environment once, and complains once: every bad variable in one message. Throws `ConfigError`. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>, cwd: string): Config {
  const parsed = Environment.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== "")));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new ConfigError(`the environment cannot be used: ${lines.join("; ")}`);
  }
  const e = parsed.data;
  const slack = slackOf(e);
  if (typeof slack === "string") throw new ConfigError(slack);
  const realCredentials = Object.keys(env)
    .filter((name) => REAL.test(name) && env[name])
    .sort();
  if (slack === null && realCredentials.length > 0) {
    throw new ConfigError(
      `${realCredentials.join(", ")}: real credentials, and on the local Slack page one person acts as everybody. Unset them, or set SLACK_BOT_TOKEN and SLACK_APP_TOKEN`,
    );
  }
  if (e.PUBLIC_URL !== undefined && new URL(e.PUBLIC_URL).pathname !== "/") {
    throw new ConfigError(
      "PUBLIC_URL has a path, and the pages link to each other from the root: give them a host name of their own",
    );
  }
  if (slack === null && e.PUBLIC_URL !== undefined) {
    throw new ConfigError(
      "PUBLIC_URL needs a real Slack workspace: the local Slack page opens on this machine only. Unset it, or set SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
    );
  }
  if (slack === null && !isLoopback(e.HOST)) {
    throw new ConfigError(
      `HOST=${e.HOST}: the local Slack page opens on this machine only. Unset it, or set SLACK_BOT_TOKEN and SLACK_APP_TOKEN`,
    );
  }
  const dataDir = path.resolve(cwd, e.COUNTERSIGN_DATA);
  const modelConfigured = [e.OPENAI_API_KEY, e.OPENAI_BASE_URL, e.ANTHROPIC_API_KEY, e.ANTHROPIC_BASE_URL].some(
    (one) => one !== undefined,
  );
  const agent = e.COUNTERSIGN_AGENT ?? (modelConfigured ? "opencode" : "demo");
  if (agent === "opencode" && !modelConfigured) {
    throw new ConfigError(
      "COUNTERSIGN_AGENT=opencode needs a model: set OPENAI_API_KEY or OPENAI_BASE_URL (or the ANTHROPIC_ ones)",
    );
  }
  const githubApp = githubAppOf(e, cwd);
  if (typeof githubApp === "string") throw new ConfigError(githubApp);
  const linear = linearOf(e);
  if (typeof linear === "string") throw new ConfigError(linear);
  if (linear !== null && slack?.installs) {
    throw new ConfigError(
      "Linear's tickets are answered in one workspace: set SLACK_BOT_TOKEN in place of COUNTERSIGN_SLACK_WORKSPACES, or unset the LINEAR_ settings",
    );
  }
  const daytona = daytonaOf(e);
  if (typeof daytona === "string") throw new ConfigError(daytona);
  const publicDoor = doorOf(e, cwd);
  if (typeof publicDoor === "string") throw new ConfigError(publicDoor);
  const signIn = signInOf(e);
  if (typeof signIn === "string") throw new ConfigError(signIn);
  const database = databaseOf(e, dataDir);
  if (typeof database === "string") throw new ConfigError(database);
  const named = e.COUNTERSIGN_POLICIES;
  const policyRepository = named === undefined ? null : policyRepositoryOf(named, e.COUNTERSIGN_POLICIES_TOKEN ?? null);
  if (typeof policyRepository === "string") throw new ConfigError(`COUNTERSIGN_POLICIES ${policyRepository}`);
  const openai = e.OPENAI_API_KEY !== undefined || e.OPENAI_BASE_URL !== undefined;
  return {
    port: e.PORT,
    healthPort: e.COUNTERSIGN_HEALTH_PORT ?? null,
    gatewayEnv: () => ({ ...env, COUNTERSIGN_HEALTH_PORT: "" }),
    host: e.HOST,
    publicUrl: e.PUBLIC_URL?.replace(/\/$/, "") ?? null,
    dataDir,
    policyDir: named === undefined || policyRepository !== null ? null : path.resolve(cwd, named),
    policyRepository,
    policyWebhook: e.COUNTERSIGN_POLICIES_WEBHOOK ?? null,
    agent,
    model: e.COUNTERSIGN_MODEL ?? (agent === "demo" ? "scripted" : openai ? "gpt-5.5" : "claude-sonnet-5"),
    database,
    databaseConnections: e.DATABASE_CONNECTIONS,
    models: {
      openai: {
        baseUrl: e.OPENAI_BASE_URL ?? (e.OPENAI_API_KEY ? "https://api.openai.com/v1" : null),
        key: e.OPENAI_API_KEY ?? null,
      },
      anthropic: {
        baseUrl:
          e.ANTHROPIC_BASE_URL?.replace(/\/(v1\/?)?$/, "") ??
          (e.ANTHROPIC_API_KEY ? "https://api.anthropic.com" : null),
        key: e.ANTHROPIC_API_KEY ?? null,
      },
    },
    linear,
    registry: e.npm_config_registry ?? null,
    pypi: { index: e.COUNTERSIGN_PYPI_INDEX ?? null, files: e.COUNTERSIGN_PYPI_FILES },
    goProxy: e.COUNTERSIGN_GO_PROXY ?? null,
    github: githubOf(e.COUNTERSIGN_GITHUB_HOSTS),
    githubApp,
    githubApiUrl: e.GITHUB_API_URL?.replace(/\/+$/, "") ?? "https://api.github.com",
    secrets: secretsIn(env),
    people: {
      githubToken: e.COUNTERSIGN_GITHUB_TOKEN ?? null,
      idpFile: e.COUNTERSIGN_IDP_FILE === undefined ? null : path.resolve(cwd, e.COUNTERSIGN_IDP_FILE),
    },
    bwrap: e.BWRAP_PATH ?? null,
    daytona,
    publicDoor,
    slack,
    signIn,
    realCredentials,
    logLevel: e.LOG_LEVEL,
    toolEnv: Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && TOOL.test(entry[0])),
    ),
  };
}
