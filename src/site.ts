import path from "node:path";
import { remotesOf } from "#adapters/policy/checkout.ts";
import { type KeptSecrets, secretFiles } from "#adapters/secrets/files.ts";
import type { SiteConfig } from "#policy/site.ts";
import { type Config, ConfigError } from "./config.ts";
import { githubLinkWay } from "./github-place.ts";
import { policyFolder } from "./places.ts";

export const keptSecrets = (config: Pick<Config, "dataDir" | "secrets">): KeptSecrets =>
  secretFiles({ folder: path.join(config.dataDir, "secrets"), given: config.secrets });

/** Hosts that only the operator's configuration may name; no rule can grant or deny them. */
function upstreams(config: Config): string[] {
  const urls = [config.models.openai.baseUrl, config.models.anthropic.baseUrl, config.registry];
  return [...new Set(urls.flatMap((url) => (url === null ? [] : [new URL(url).hostname])))];
}

/** A URL's own part of its host: "https://a.example/simple/" opens what lies below "/simple". */
function below(url: string): { host: string; paths: string[] } {
  const { hostname, pathname } = new URL(url);
  const folder = pathname.replace(/\/+$/, "");
  return { host: hostname, paths: folder === "" ? ["/**"] : [folder, `${folder}/**`] };
}

/** The same of a module proxy, whose paths the preset makes. */
function proxyOf(url: string): { host: string; base: string } {
  const { hostname, pathname } = new URL(url);
  return { host: hostname, base: pathname.replace(/\/+$/, "") };
}

/** The repository that holds the policy; of a folder, whatever repository it is a checkout of. */
function policyRepos(config: Config, folder: string): readonly string[] {
  if (config.policyRepository !== null) return [config.policyRepository.repo];
  try {
    return remotesOf(folder);
  } catch (cause) {
    throw new ConfigError(`COUNTERSIGN_POLICIES: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * What the policy loader is told of this installation, by the service and by the command line alike. `folder`: where the
 * policy lies that is asked about, when it is not the service's own. Throws `ConfigError`.
 */
export function siteOf(config: Config, now: Date, folder = policyFolder(config)): SiteConfig {
  const { index, files } = config.pypi;
  return {
    presets: [
      ...(config.models.openai.baseUrl !== null || config.agent === "demo" ? ["model-openai"] : []),
      ...(config.models.anthropic.baseUrl !== null ? ["model-anthropic"] : []),
      ...(config.registry !== null ? ["npm-read"] : []),
    ],
    upstreams: upstreams(config),
    ...(config.github === null ? {} : { github: config.github }),
    pypi: index === null ? [] : [below(index), ...files.map(below)],
    ...(config.goProxy === null ? {} : { goProxy: proxyOf(config.goProxy) }),
    secrets: keptSecrets(config).names(),
    policyRepos: policyRepos(config, folder),
    directories: [
      ...(config.people.githubToken !== null && config.people.idpFile !== null ? (["github"] as const) : []),
      ...(config.people.idpFile !== null ? (["idp"] as const) : []),
    ],
    signIn: config.signIn !== null,
    links: [
      ...(githubLinkWay(config.githubApp) === null ? [] : (["github"] as const)),
      ...(config.linear === null ? [] : (["linear"] as const)),
    ],
    today: now.toISOString().slice(0, 10),
  };
}
