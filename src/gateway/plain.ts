import type { IncomingMessage, ServerResponse } from "node:http";
import { decideEgress } from "#policy/egress.ts";
import { matchesHost } from "#policy/match/hosts.ts";
import { parseAuthority } from "./authority.ts";
import { credentialFault } from "./credentials.ts";
import { type Denial, refuse, why } from "./denial.ts";
import { dialVetted, vet } from "./destination.ts";
import { carry, crossingHeaders } from "./forward.ts";
import { canonicalPath, isHost, strictFault } from "./http-strict.ts";
import { tokenOf } from "./token.ts";
import { admit, askedNote, countUpload, record, type Wall } from "./wall.ts";

/** One absolute-form request ("GET http://host/path"): plain HTTP through the proxy. */
export async function handlePlain(
  wall: Wall,
  carrier: string | null,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const match = /^http:\/\/([^/?#]*)(\/[^#]*|\?[^#]*)?$/i.exec(req.url ?? "");
  const named = match?.[1] ?? "";
  const authority = parseAuthority(Buffer.from(/:[0-9]*$/.test(named) ? named : `${named}:80`, "latin1"));
  const host = authority.kind === "bad" ? "" : authority.host;
  const port = authority.kind === "bad" ? 0 : authority.port;
  const admission = admit(wall, tokenOf(req.headers["proxy-authorization"]), carrier);
  const who = admission.ok
    ? { run: admission.grant.run, sandbox: admission.grant.sandbox }
    : { run: admission.run, sandbox: admission.sandbox };
  const method = req.method ?? null;
  const line = { kind: "egress", via: "http", host, port, method, ...who } as const;
  const deny = async (denial: Denial) => {
    const written = await record(wall, { ...line, outcome: "deny", reason: denial.reason, rule: denial.rule });
    refuse(res, written ? denial : { status: 403, reason: "fail_closed", rule: null });
  };

  if (!admission.ok) {
    const status = admission.reason === "no_run" || admission.reason === "run_over" ? 407 : 403;
    return await deny({ status, reason: admission.reason, rule: null });
  }
  const { grant } = admission;
  const fault = strictFault(req);
  if (fault) return await deny(fault);
  if (!match) return await deny({ status: 400, reason: "bad_request", rule: null, detail: "Use CONNECT for https." });
  if (authority.kind === "bad") return await deny({ status: 400, reason: "bad_authority", rule: null });
  if (!isHost(req.headers.host, host, port, 80))
    return await deny({ status: 400, reason: "host_mismatch", rule: null });
  if (authority.kind === "ip") return await deny({ status: 403, reason: "ip_literal", rule: null });

  const target = match[2]?.startsWith("/") ? match[2] : `/${match[2] ?? ""}`;
  const path = canonicalPath(target);
  const credentialed = grant.egress.find((rule) => rule.secret !== null && matchesHost(rule.host, host));
  if (credentialed) return await deny({ status: 403, reason: "plaintext", rule: credentialed.rule.at });
  const byCredential = credentialFault(grant, host, port, req);
  if (byCredential) return await deny(byCredential);
  if (path === null) return await deny({ status: 400, reason: "path", rule: null });
  const decision = decideEgress(grant.egress, { host, port, method, path });
  if (decision.outcome === "deny") {
    const rule = decision.rule?.at ?? null;
    const note = askedNote(grant, { host, port, method, path });
    return await deny({ status: 403, reason: decision.reason, rule, ...note, ...why(decision.rule) });
  }
  const { rule } = decision;
  const vetted = await vet(wall, host, rule);
  if (!vetted.ok)
    return await deny({ status: vetted.reason === "dns" ? 502 : 403, reason: vetted.reason, rule: rule.rule.at });
  const upstream = await dialVetted(wall, vetted.addresses, port);
  if (!upstream) return await deny({ status: 502, reason: "unreachable", rule: rule.rule.at });
  if (!(await record(wall, { ...line, outcome: "allow", reason: "rule", rule: rule.rule.at }))) {
    upstream.destroy();
    return refuse(res, { status: 403, reason: "fail_closed", rule: null });
  }
  const destination = { host, port };
  const remove = wall.connections.add({ sandbox: grant.sandbox, destination, cut: () => void res.destroy() });
  req.url = target;
  try {
    const headers = crossingHeaders(req);
    const count = (bytes: number) => countUpload(wall, grant, bytes);
    const hostHeader = port === 80 ? host : `${host}:${port}`;
    const { maxBodyBytes } = rule;
    await carry({ req, res, upstream, host: hostHeader, headers, maxBodyBytes, countUpload: count, scrub: null });
  } finally {
    remove();
    upstream.destroy();
  }
}
