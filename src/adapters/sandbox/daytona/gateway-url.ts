import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Problem } from "#ports/sandbox.ts";

/** Addresses of one machine, one network or one link: nobody outside of it can come by them. */
const NOT_PUBLIC: readonly (readonly [RegExp, string])[] = [
  [/^(127\.|::1$)/, "this machine itself"],
  [/^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|f[cd])/, "a private network"],
  [/^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./, "a network behind a shared address"],
  [/^(169\.254\.|fe[89ab])/, "one network link"],
  [/^(0\.|::$)/, "no machine at all"],
];

const FIX =
  "Run the gateway where the internet can reach it (a server with a public address and port 443, or a tunnel that passes TLS through) and set COUNTERSIGN_GATEWAY_URL=https://its.name, or unset DAYTONA_API_KEY: then sandboxes are made on this machine.";

const placeOf = (address: string): string | null =>
  NOT_PUBLIC.find(([pattern]) => pattern.test(address.toLowerCase()))?.[1] ?? null;

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/**
 * Why a hosted sandbox could not reach the gateway at `url`, in words; `null` when nothing speaks against it. That it
 * can, only a sandbox finds out. `platform`: where the sandboxes' own platform answers: one that runs on a private
 * network reaches what is there.
 */
export async function gatewayProblem(
  url: string | null,
  platform: string,
  resolve: (host: string) => Promise<readonly string[]> = addressesOf,
): Promise<Problem | null> {
  if (url === null) {
    return {
      what: "a hosted sandbox cannot reach the gateway: it listens on this machine only, and the sandbox is somewhere else",
      fix: FIX,
    };
  }
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol !== "https:") {
    return {
      what: `COUNTERSIGN_GATEWAY_URL=${url} is not https: what a run does would cross the internet in the open`,
      fix: "Set it to an https:// URL. The gateway ends TLS itself.",
    };
  }
  if (isIP(host) === 6) {
    return {
      what: `COUNTERSIGN_GATEWAY_URL=${url} is an IPv6 address, which Daytona has no list for`,
      fix: "Give the gateway a name.",
    };
  }
  let addresses: readonly string[];
  try {
    addresses = await resolve(host);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return { what: `nobody can find the gateway: ${host} has no address (${code})`, fix: FIX };
  }
  const [address = ""] = addresses;
  const place = placeOf(address);
  if (place === null || (await onOwnNetwork(platform, resolve))) return null;
  return {
    what: `a hosted sandbox cannot reach the gateway at ${url}: ${address === host ? address : `${host} is ${address}, and that`} is an address of ${place}, which does not exist where the sandbox is`,
    fix: FIX,
  };
}

async function onOwnNetwork(platform: string, resolve: (host: string) => Promise<readonly string[]>): Promise<boolean> {
  try {
    const [address = ""] = await resolve(new URL(platform).hostname.replace(/^\[|\]$/g, ""));
    return placeOf(address) !== null;
  } catch {
    return false; // A platform that cannot be found is another problem, and the first call says so.
  }
}
