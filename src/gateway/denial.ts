import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { RuleRef } from "#policy/decision.ts";

/** What a refused client is told. `rule` is `file:line:col`, or `null` when no rule spoke. */
export interface Denial {
  readonly status: number;
  readonly reason: string;
  readonly rule: string | null;
  /** Added to the reason's own sentence: what was refused, or what the rule's author wrote. */
  readonly detail?: string;
}

const WORDS: Readonly<Record<string, string>> = {
  no_run: "This connection carries no run token.",
  run_over: "This run is over, or was stopped. Nothing more is let through.",
  token_origin: "This run token belongs to another sandbox.",
  fail_closed: "The gateway cannot reach its control plane or cannot write its audit log, so it denies everything new.",
  no_rule: "No rule of this run's policy names this destination.",
  port: "A rule names this host, but not this port.",
  method: "A rule names this host, but not this method.",
  path: "A rule names this host, but not this path.",
  graphql:
    "GraphQL reaches every repository of its host in one request. Use the host's REST paths for this repository.",
  use_git_relay: "Nothing is pushed to the forge from here. Commit, and leave the push to the run.",
  encoding: "The answer came compressed, so it cannot be searched for the credential that went out.",
  bad_authority: "The destination is not a plain host and port.",
  bad_request: "The request cannot be read in exactly one way.",
  command: "Only a connection to a named host can be opened: nothing listens here, and there is no UDP.",
  ip_literal: "Policy speaks of names. An address cannot be a destination.",
  ip_class: "The name resolves to an address that is never reached from here.",
  self_connection: "The name resolves to the gateway itself.",
  dns: "The name cannot be resolved.",
  unreachable: "The destination does not answer.",
  upstream_cert: "The destination's certificate is not valid for its name.",
  host_mismatch: "The Host header is not the destination that was asked for.",
  plaintext: "This host carries a credential and is reached over TLS only.",
  method_override: "A header that changes the method is not let through.",
  websocket: "No rule allows a WebSocket to this host.",
  limit: "The request is larger than the rule or the gateway allows.",
  token_host: "A secret's placeholder was sent where it does not belong.",
  foreign_credential: "This host is reached with the run's own credential only.",
  secret: "The rule needs a secret that the gateway cannot read.",
  budget: "The run's budget is spent.",
  model: "This run may not use this model.",
  model_tool: "The request asks the model's service to reach the network itself.",
  not_configured: "The operator has not configured this service.",
  registry: "This run may not use the package registry.",
  repo: "This run works on another repository.",
  connections: "The run has as many connections open as it may.",
  upload: "The run has sent as much as it may.",
  redirect: "The registry points to another host. That is not followed.",
  read_only: "This run may read the repository and not push to it.",
  push_closed: "The result is being checked. Nothing is accepted until the next turn.",
  no_repository: "The run's repository is not there yet.",
  internal: "The gateway failed. Nothing was let through.",
};

/** Reasons that no honest mistake explains: somebody should look. */
export const INCIDENTS: ReadonlySet<string> = new Set(["token_host", "foreign_credential", "token_origin"]);

export function denialText(denial: Denial): string {
  const words = WORDS[denial.reason] ?? "Refused.";
  return denial.detail ? `${words} ${denial.detail}` : words;
}

/**
 * The JSON every refused client reads. `type` and `error` are there because the model SDKs print `error.message` and
 * nothing else.
 */
export function denialBody(denial: Denial): string {
  const error = { type: "permission_error", code: denial.reason, message: `countersign: ${denialText(denial)}` };
  return bodyOf(denial, error);
}

function bodyOf(denial: Denial, error: unknown): string {
  const message = denialText(denial);
  return `${JSON.stringify({ reason: denial.reason, rule: denial.rule, message, see: "/.well-known/run-policy", type: "error", error })}\n`;
}

function headersOf(denial: Denial, body: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "x-countersign-reason": denial.reason,
    connection: "close",
    ...(denial.status === 407 ? { "proxy-authenticate": 'Basic realm="countersign"' } : {}),
    ...(denial.status === 401 ? { "www-authenticate": 'Basic realm="countersign"' } : {}),
  };
}

/** Answers and ends; the connection is not used again, so that nothing can follow a refused request. */
export function refuse(res: ServerResponse, denial: Denial): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const body = denialBody(denial);
  res.writeHead(denial.status, headersOf(denial, body)).end(body);
}

/** For npm, which prints `error` where it is a sentence, and "[object Object]" where it is not. */
export function refusePackage(res: ServerResponse, denial: Denial): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const body = bodyOf(denial, `countersign: ${denialText(denial)}`);
  res.writeHead(denial.status, headersOf(denial, body)).end(body);
}

/** For git, which shows a refusal's words only when they are plain text. */
export function refuseGit(res: ServerResponse, denial: Denial): void {
  const rule = denial.rule ? ` (${denial.reason} at ${denial.rule})` : ` (${denial.reason})`;
  const body = `countersign: ${denialText(denial)}${rule}\n`;
  res.writeHead(denial.status, { ...headersOf(denial, body), "content-type": "text/plain" }).end(body);
}

/** The same on a connection that no HTTP parser owns. */
export function refuseRaw(socket: Duplex, denial: Denial): void {
  const body = denialBody(denial);
  const headers = Object.entries(headersOf(denial, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${denial.status} ${STATUS_CODES[denial.status] ?? ""}\r\n${headers.join("")}\r\n${body}`);
}

export const why = (rule: RuleRef | null): { detail?: string } => (rule?.why ? { detail: rule.why } : {});
