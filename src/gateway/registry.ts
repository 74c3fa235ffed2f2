import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Broker } from "./data.ts";
import { type Denial, refusePackage } from "./denial.ts";
import { canonicalPath, strictFault } from "./http-strict.ts";
import { packagePath } from "./package-path.ts";
import { tokenOf } from "./token.ts";
import { below, callUpstream } from "./upstream.ts";
import { admit, admitCarrier, record, type Wall } from "./wall.ts";

const REDIRECTS = 3;
/** What a package client says that the registry needs to know. Its credentials are not among it. */
const PASSED_ON = ["accept", "user-agent", "if-none-match", "if-modified-since", "range"];
const ANSWERED = [
  "content-type",
  "content-length",
  "content-encoding",
  "cache-control",
  "etag",
  "last-modified",
  "vary",
  "content-range",
];

/**
 * The operator's package registry, read-only. The client's credentials stay here and the operator's go out; a redirect
 * is followed only below the same registry. Clients that send no token (npm) are known by their carrier.
 */
export function registryBroker(wall: Wall): Broker {
  return async ({ carrier, req, res, target }) => {
    const { registry } = wall.config;
    const token = tokenOf(req.headers.authorization);
    // A package client may carry a credential for another registry; it is not ours, so it says nothing about the run.
    const byToken = token !== null && wall.grants.byToken(token) !== null;
    const admission = byToken ? admit(wall, token, carrier) : admitCarrier(wall, carrier);
    const who = admission.ok
      ? { run: admission.grant.run, sandbox: admission.grant.sandbox }
      : { run: admission.run, sandbox: admission.sandbox };
    const url = registry ? new URL(registry.baseUrl) : null;
    const port = url ? Number(url.port) || (url.protocol === "https:" ? 443 : 80) : 0;
    const line = {
      kind: "egress",
      via: "registry",
      host: url?.hostname ?? "",
      port,
      method: req.method ?? null,
      ...who,
    } as const;
    const deny = async (denial: Denial) => {
      const written = await record(wall, { ...line, outcome: "deny", reason: denial.reason, rule: denial.rule });
      refusePackage(res, written ? denial : { status: 403, reason: "fail_closed", rule: null });
    };
    if (!admission.ok) return await deny({ status: 403, reason: admission.reason, rule: null });
    if (!admission.grant.registry) return await deny({ status: 403, reason: "registry", rule: null });
    if (!registry) return await deny({ status: 403, reason: "not_configured", rule: null });
    if (req.method !== "GET" && req.method !== "HEAD") return await deny({ status: 403, reason: "method", rule: null });
    const fault = strictFault(req);
    if (fault) return await deny(fault);
    const path = packagePath(target, new URL(registry.baseUrl).pathname);
    if (canonicalPath(path) === null) return await deny({ status: 400, reason: "path", rule: null });
    if (!(await record(wall, { ...line, outcome: "allow", reason: "rule", rule: null }))) {
      return refusePackage(res, { status: 403, reason: "fail_closed", rule: null });
    }
    await fetchPackage(registry, path, req, res);
  };
}

async function fetchPackage(
  registry: NonNullable<Wall["config"]["registry"]>,
  path: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const abort = new AbortController();
  res.once("close", () => abort.abort());
  const headers: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = req.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  const encoding = req.headers["accept-encoding"];
  if (typeof encoding === "string") headers["accept-encoding"] = encoding;
  if (registry.auth) headers.authorization = registry.auth.reveal();
  let url = below(registry.baseUrl, path);
  try {
    for (let hops = 0; hops <= REDIRECTS; hops += 1) {
      const incoming = await callUpstream(url, {
        method: req.method ?? "GET",
        headers,
        body: null,
        signal: abort.signal,
      });
      const location = incoming.headers.location;
      if (location === undefined || (incoming.statusCode ?? 0) < 300 || (incoming.statusCode ?? 0) >= 400) {
        res.writeHead(incoming.statusCode ?? 502, answerHeaders(incoming));
        return await pipeline(incoming, res);
      }
      incoming.resume();
      const next = new URL(location, url);
      if (!isBelow(registry.baseUrl, next)) return refusePackage(res, { status: 502, reason: "redirect", rule: null });
      url = next;
    }
    refusePackage(res, { status: 502, reason: "redirect", rule: null });
  } catch (error) {
    refusePackage(res, { status: 502, reason: "unreachable", rule: null, detail: causeOf(error) });
  }
}

/** Its code alone: a certificate that is not known here is the operator's to name (`NODE_EXTRA_CA_CERTS`), and nobody else's fault. */
function causeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no reason";
  return /CERT|SIGNATURE|ISSUER/.test(code)
    ? `Its certificate is not trusted (${code}): the service's NODE_EXTRA_CA_CERTS names those that are.`
    : `(${code})`;
}

/** Whether a URL is in the same registry: same origin, path below the base's. */
export function isBelow(base: string, url: URL): boolean {
  const root = new URL(base);
  return url.origin === root.origin && `${url.pathname}/`.startsWith(`${root.pathname.replace(/\/$/, "")}/`);
}

function answerHeaders(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of ANSWERED) {
    const value = incoming.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
}
