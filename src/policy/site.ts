import type { LinkPlace } from "./linked.ts";

/** What the operator's configuration tells the loader. */
export interface SiteConfig {
  /** Presets the gateway can serve here; another one that policy grants is a warning. Absent: not known. */
  readonly presets?: readonly string[];
  /** Hosts of model APIs, registry and forge. No rule may name them. */
  readonly upstreams?: readonly string[];
  /** Where the forge answers when it is not github.com. */
  readonly github?: { readonly web: string; readonly api: string; readonly files: readonly string[] };
  /** Hosts and URL paths of the Python package index; absent: `pypi-read` grants nothing. */
  readonly pypi?: readonly { readonly host: string; readonly paths: readonly string[] }[];
  /** Where Go's modules come from; `base` has no slash at its end. Absent: `go-read` grants nothing. */
  readonly goProxy?: { readonly host: string; readonly base: string };
  /** Names of the secrets that are kept here. Absent: not known. */
  readonly secrets?: readonly string[];
  /** Sources of groups beside the workspace's own that are configured here. Absent: not known. */
  readonly directories?: readonly ("github" | "idp")[];
  /** Where people can link an account with their chat account here. Absent: not known. */
  readonly links?: readonly LinkPlace[];
  /** "2027-01-31", UTC: for what ends on a day. Absent: not looked at. */
  readonly today?: string;
  /** Whether people sign in to the pages here. Absent: not known. */
  readonly signIn?: boolean;
  /** "owner/name" of the repository the policy comes from, by each name it has: never granted to a run. */
  readonly policyRepos?: readonly string[];
}
