import type { EgressRule } from "./egress.ts";
import { containsPath, fold, pathGlob } from "./match/glob.ts";
import type { SiteConfig } from "./site.ts";

/** Grants whose hosts the operator configures: the gateway serves them itself and no sandbox can name their hosts. */
export const BROKERED = ["model-openai", "model-anthropic", "npm-read"] as const;
export type Brokered = (typeof BROKERED)[number];

/** Shared hosts, granted only as these methods on these paths. */
export const HOSTED = ["github", "pypi-read", "go-read"] as const;
export type Hosted = (typeof HOSTED)[number];

export type Preset = Brokered | Hosted;

export function isBrokered(preset: string): preset is Brokered {
  return (BROKERED as readonly string[]).includes(preset);
}

/** Whether a preset opens a model's API. */
export const opensModels = (preset: string): boolean => preset.startsWith("model-");

/** Whether packages can be fetched through a preset. */
export const opensPackages = (preset: string): boolean => ["npm-read", "pypi-read", "go-read"].includes(preset);

/** Where the forge answers. An enterprise installation has its own. */
const GITHUB = {
  web: "github.com",
  api: "api.github.com",
  files: ["raw.githubusercontent.com", "codeload.github.com"],
};

const READ = ["GET", "HEAD"] as const;

interface Way {
  readonly host: string;
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

/**
 * Reading of the named repositories, over the web, the API and git's own protocol. A push needs a POST to
 * git-receive-pack, which is not here: our relay is the only way in (git's HTTP protocol, gitprotocol-http(5)).
 */
function github(repos: readonly string[], site: SiteConfig): Way[] {
  const { web, api, files } = site.github ?? GITHUB;
  const below = (repo: string) => [`/${repo}/**`, `/${repo}.git/**`];
  return [
    { host: web, methods: READ, paths: repos.flatMap(below) },
    {
      host: web,
      methods: ["POST"],
      paths: repos.flatMap((repo) => [`/${repo}/git-upload-pack`, `/${repo}.git/git-upload-pack`]),
    },
    { host: api, methods: READ, paths: repos.flatMap((repo) => [`/repos/${repo}`, `/repos/${repo}/**`]) },
    ...files.map((host) => ({ host, methods: READ, paths: repos.map((repo) => `/${repo}/**`) })),
  ];
}

/** What Go asks a module proxy for, and the checksum database as the proxy passes it on (Go Modules Reference, "GOPROXY protocol"). */
const MODULES = ["/**/@v/list", "/**/@v/*.info", "/**/@v/*.mod", "/**/@v/*.zip", "/**/@latest", "/sumdb/**"];

const modules = ({ host, base }: NonNullable<SiteConfig["goProxy"]>): Way => ({
  host,
  methods: ["GET"],
  paths: MODULES.map((path) => base + path),
});

/** Whether the site's configuration has what the preset needs; `presets` absent: nobody knows. */
export function isServed(preset: Preset, site: SiteConfig): boolean {
  if (preset === "github") return true;
  if (preset === "pypi-read") return (site.pypi ?? []).length > 0;
  if (preset === "go-read") return site.goProxy !== undefined;
  return site.presets === undefined || site.presets.includes(preset);
}

const WAYS: Readonly<Record<Hosted, (repos: readonly string[], site: SiteConfig) => readonly Way[]>> = {
  github,
  "pypi-read": (_repos, { pypi = [] }) => pypi.map(({ host, paths }) => ({ host, methods: READ, paths })),
  "go-read": (_repos, { goProxy }) => (goProxy === undefined ? [] : [modules(goProxy)]),
};

/** The rules a hosted preset stands for. */
export function presetRules(
  preset: Hosted,
  repos: readonly string[],
  site: SiteConfig,
  rule: EgressRule["rule"],
): EgressRule[] {
  return WAYS[preset](repos, site).map(({ host, methods, paths }) => ({
    host,
    methods,
    paths,
    ports: [443],
    mode: "intercept",
    private: [],
    maxBodyBytes: null,
    secret: null,
    rule,
  }));
}

/** One preset as it is granted. */
export interface PresetGrant {
  readonly name: Preset;
  /** Empty: the preset has no repositories. */
  readonly repos: readonly string[];
}

/** Whether everything the inner grant opens is opened by the outer one. */
export function containsPreset(outer: PresetGrant, inner: PresetGrant): boolean {
  const wide = outer.repos.map((repo) => pathGlob(fold(repo)));
  return (
    outer.name === inner.name &&
    inner.repos.every((repo) => wide.some((one) => containsPath(one, pathGlob(fold(repo)))))
  );
}
