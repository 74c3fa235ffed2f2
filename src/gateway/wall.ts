import { randomUUID } from "node:crypto";
import { decideEgress, type EgressRequest } from "#policy/egress.ts";
import type { AuditLine, Grant, GrantedRule } from "#ports/gateway.ts";
import type { Connections } from "./connections.ts";
import type { GrantBook } from "./grants.ts";
import type { Journal } from "./journal.ts";
import type { Lease } from "./lease.ts";
import type { GatewayConfig, GatewayWorld } from "./settings.ts";

/** What every way through the wall shares: who may, what was decided, and what is open. */
export interface Wall {
  readonly grants: GrantBook;
  readonly journal: Journal;
  readonly lease: Lease;
  readonly connections: Connections;
  readonly config: GatewayConfig;
  readonly world: GatewayWorld;
  /** Bytes each sandbox has sent out since we started. */
  readonly uploads: Map<string, number>;
}

/** A request's sender, or why it has none. `run` and `sandbox` are what the audit line can truthfully say. */
export type Admission =
  | { readonly ok: true; readonly grant: Grant }
  | {
      readonly ok: false;
      readonly reason: "no_run" | "run_over" | "token_origin" | "fail_closed";
      readonly run: string | null;
      readonly sandbox: string | null;
    };

/**
 * Who is asking. `carrier` is the sandbox key that the trusted supervisor wrote before the first byte, or `null` on a
 * listener without one; a token counts only on its own sandbox's connections.
 */
export function admit(wall: Wall, token: string | null, carrier: string | null): Admission {
  const home = carrier === null ? null : wall.grants.bySandbox(carrier);
  const known = { run: home?.grant.run ?? null, sandbox: carrier };
  const held = token === null ? null : wall.grants.byToken(token);
  if (held === null) return { ok: false, reason: "no_run", ...known };
  if (carrier !== null && held.grant.sandbox !== carrier) return { ok: false, reason: "token_origin", ...known };
  return admitHeld(wall, held);
}

/** For the brokers that need no token (the registry): the carrier's word says which sandbox this is. */
export function admitCarrier(wall: Wall, carrier: string | null): Admission {
  const held = carrier === null ? null : wall.grants.bySandbox(carrier);
  return held ? admitHeld(wall, held) : { ok: false, reason: "no_run", run: null, sandbox: carrier };
}

function admitHeld(wall: Wall, held: { grant: Grant; revoked: boolean }): Admission {
  const { run, sandbox } = held.grant;
  if (held.revoked || Date.parse(held.grant.expiresAt) <= wall.world.now())
    return { ok: false, reason: "run_over", run, sandbox };
  if (!wall.lease.isHeld()) return { ok: false, reason: "fail_closed", run, sandbox };
  return { ok: true, grant: inForce(held.grant, wall.world.now()) };
}

/** The grant without what was given for a while that is over. `now`: milliseconds. */
export function inForce(grant: Grant, now: number): Grant {
  const over = ({ until }: GrantedRule) => until !== undefined && Date.parse(until) <= now;
  return grant.egress.some(over) ? { ...grant, egress: grant.egress.filter((rule) => !over(rule)) } : grant;
}

/** What a refusal says beside its reason where people may still allow it: the client then plans instead of trying on. */
export function askedNote(grant: Grant, request: EgressRequest): { readonly detail?: string } {
  if (grant.askable === undefined || decideEgress(grant.askable, request).outcome === "deny") return {};
  return { detail: "People may be asked about it: go on without it for now, and try again when you are told." };
}

/** An audit line without what every line has. */
export type AuditBody = AuditLine extends infer L ? (L extends AuditLine ? Omit<L, "id" | "at"> : never) : never;

/**
 * Writes one line and says whether it is on disk. `false` means that the act must not happen: what cannot be recorded
 * is not allowed ("fail_closed").
 */
export async function record(wall: Wall, body: AuditBody): Promise<boolean> {
  try {
    const stamped = { ...body, id: randomUUID(), at: new Date(wall.world.now()).toISOString() };
    await wall.journal.append(stamped as AuditLine);
    return true;
  } catch {
    return false;
  }
}

/** Counts bytes that leave. `false` once the sandbox has used up its total. */
export function countUpload(wall: Wall, grant: Grant, bytes: number): boolean {
  const total = (wall.uploads.get(grant.sandbox) ?? 0) + bytes;
  wall.uploads.set(grant.sandbox, total);
  return total <= (grant.uploadBytes ?? wall.world.limits.uploadBytes);
}
