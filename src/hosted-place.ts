import path from "node:path";
import type { Secret } from "#ports/secret.ts";

/** Where sandboxes are made when they are made at Daytona. */
export interface DaytonaPlace {
  readonly apiKey: Secret;
  readonly apiUrl: string;
  /** Region; `null`: the organisation's own. */
  readonly target: string | null;
  readonly base: { readonly snapshot: string } | { readonly image: string };
}

/** How sandboxes that are on no machine of ours come to the gateway. */
export interface DoorPlace {
  /** "https://host[:port]", as they know it. */
  readonly url: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Absolute paths of PEM files. `null`: a certificate of the gateway's own authority. */
  readonly certificate: { readonly chainFile: string; readonly keyFile: string } | null;
}

const API_URL = "https://app.daytona.io/api";
/** Node, git, bash and tar are in it, which is all that our programs need. */
const IMAGE = "node:24-bookworm";
const LISTEN = "0.0.0.0:8443";

/** `null`: sandboxes are made on this machine. A text: what is wrong. */
export function daytonaOf(e: {
  readonly DAYTONA_API_KEY?: Secret | undefined;
  readonly DAYTONA_API_URL?: string | undefined;
  readonly DAYTONA_TARGET?: string | undefined;
  readonly DAYTONA_SNAPSHOT?: string | undefined;
  readonly DAYTONA_IMAGE?: string | undefined;
}): DaytonaPlace | null | string {
  const { DAYTONA_API_KEY: apiKey, DAYTONA_SNAPSHOT: snapshot, DAYTONA_IMAGE: image } = e;
  if (apiKey === undefined) return null;
  if (snapshot !== undefined && image !== undefined)
    return "DAYTONA_SNAPSHOT and DAYTONA_IMAGE both say what a sandbox begins as: unset one of them";
  return {
    apiKey,
    apiUrl: e.DAYTONA_API_URL?.replace(/\/+$/, "") ?? API_URL,
    target: e.DAYTONA_TARGET ?? null,
    base: snapshot === undefined ? { image: image ?? IMAGE } : { snapshot },
  };
}

/** `null`: the gateway is for this machine alone. A text: what is wrong. */
export function doorOf(
  e: {
    readonly COUNTERSIGN_GATEWAY_URL?: string | undefined;
    readonly COUNTERSIGN_GATEWAY_LISTEN?: string | undefined;
    readonly COUNTERSIGN_GATEWAY_CERT?: string | undefined;
    readonly COUNTERSIGN_GATEWAY_KEY?: string | undefined;
  },
  cwd: string,
): DoorPlace | null | string {
  const { COUNTERSIGN_GATEWAY_URL: url, COUNTERSIGN_GATEWAY_CERT: chain, COUNTERSIGN_GATEWAY_KEY: key } = e;
  if ((chain === undefined) !== (key === undefined))
    return "COUNTERSIGN_GATEWAY_CERT and COUNTERSIGN_GATEWAY_KEY go together: set both, or neither for a certificate of the gateway's own";
  if (url === undefined) {
    const alone = e.COUNTERSIGN_GATEWAY_LISTEN ?? chain;
    return alone === undefined
      ? null
      : "COUNTERSIGN_GATEWAY_URL says how the gateway is reached from elsewhere, and is missing beside the other COUNTERSIGN_GATEWAY_ variables";
  }
  const { protocol, pathname, origin } = new URL(url);
  if (protocol !== "https:" || pathname !== "/") return "COUNTERSIGN_GATEWAY_URL is https://HOST or https://HOST:PORT";
  const [, host = "", port = ""] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(e.COUNTERSIGN_GATEWAY_LISTEN ?? LISTEN) ?? [];
  if (host === "" || Number(port) > 65_535) return "COUNTERSIGN_GATEWAY_LISTEN is ADDRESS:PORT, such as 0.0.0.0:8443";
  return {
    url: origin,
    listen: { host, port: Number(port) },
    certificate:
      chain === undefined || key === undefined
        ? null
        : { chainFile: path.resolve(cwd, chain), keyFile: path.resolve(cwd, key) },
  };
}
