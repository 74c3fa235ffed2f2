import type { Command, Sandbox } from "#ports/sandbox.ts";

/** Who commits: our app, never a person; the person is a co-author. */
const COMMITTER = { name: "Countersign", email: "agent@countersign.invalid" };

/** Variables that lead a process inside to the gateway, with the sandbox's token. */
export function reachEnv(sandbox: Pick<Sandbox, "gatewayUrl">, token: string): Readonly<Record<string, string>> {
  const gateway = new URL(sandbox.gatewayUrl);
  const proxy = `http://run:${token}@${gateway.host}`;
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NO_PROXY: "127.0.0.1,localhost",
    no_proxy: "127.0.0.1,localhost",
    NODE_USE_ENV_PROXY: "1",
    GIT_TERMINAL_PROMPT: "0",
  };
}

/** Git's own configuration inside: the relay's credential, and nothing that a repository could run. */
export function gitConfig(sandbox: Pick<Sandbox, "gatewayUrl">, token: string): string {
  const basic = Buffer.from(`run:${token}`).toString("base64");
  return [
    "[user]",
    `\tname = ${COMMITTER.name}`,
    `\temail = ${COMMITTER.email}`,
    `[http "${sandbox.gatewayUrl}/git/"]`,
    `\textraHeader = Authorization: Basic ${basic}`,
    "\tproxy = ",
    "[core]",
    "\thooksPath = /dev/null",
    "\tfsmonitor = false",
    "[init]",
    "\tdefaultBranch = main",
    "[advice]",
    "\tdetachedHead = false",
    "",
  ].join("\n");
}

/** npm's configuration inside, for every process there: packages come through the gateway and nothing else is asked. */
export function npmConfig(sandbox: Pick<Sandbox, "gatewayUrl">, token: string): string {
  return [
    `registry=${sandbox.gatewayUrl}/registry/`,
    "replace-registry-host=always",
    `//${new URL(sandbox.gatewayUrl).host}/registry/:_authToken=${token}`,
    "audit=false",
    "fund=false",
    "update-notifier=false",
    "",
  ].join("\n");
}

/** Not "hung up unexpectedly", which git also says of a refusal. Numbers are curl's: an answer that was cut short. */
const AWAY =
  /error: 5\d\d|failed to connect|couldn't connect|connection (refused|reset)|timed out|empty reply|curl (18|52|56)|early eof/i;

/** Whether git says that the relay or the way to it is down: not a word about the work, so it is tried again. */
export const isRelayAway = (said: string): boolean => !said.includes("countersign:") && AWAY.test(said);

/**
 * Where pip, uv and Go look for packages, each when the sandbox may read what the operator configured for it. They reach it
 * through the gateway like any host. Go is told of no second way: it would try the host of the module itself, and be refused.
 */
export function packageEnv(
  core: { readonly pythonIndex?: string | null; readonly goProxy?: string | null },
  open: { readonly egress: readonly { readonly host: string }[] },
): Readonly<Record<string, string>> {
  const opened = (url: string | null | undefined): string | null =>
    url && open.egress.some(({ host }) => host === new URL(url).hostname) ? url : null;
  const [index, proxy] = [opened(core.pythonIndex), opened(core.goProxy)];
  return {
    ...(index === null ? {} : { PIP_INDEX_URL: index, UV_DEFAULT_INDEX: index }),
    ...(proxy === null ? {} : { GOPROXY: proxy }),
  };
}

export const repoUrl = (sandbox: Pick<Sandbox, "gatewayUrl">, repo: string): string =>
  `${sandbox.gatewayUrl}/git/${repo}.git`;

/** A shell line in the work tree with the way out; `bash -c` so that policy's commands read as people write them. */
export const shell = (line: string, env: Readonly<Record<string, string>>): Command => ({
  argv: ["bash", "-c", line],
  env,
});
