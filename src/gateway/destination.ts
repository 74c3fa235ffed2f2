import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import type { Duplex } from "node:stream";
import type { EgressRule } from "#policy/egress.ts";
import { addressClass, inRanges } from "./address.ts";
import type { Wall } from "./wall.ts";

export type Vetted =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly reason: "dns" | "ip_class" | "self_connection" };

/**
 * Resolves an allowed name once and judges every answer; one bad answer spoils all. The caller dials these addresses
 * and never the name, so that a second, different answer has no effect. A denied name must not come here: the question
 * alone would carry data out.
 */
export async function vet(wall: Wall, host: string, rule: EgressRule): Promise<Vetted> {
  const addresses = await resolveWithin(wall, host);
  if (addresses === null || addresses.length === 0) return { ok: false, reason: "dns" };
  const self = ownAddresses(wall);
  for (const address of addresses) {
    const kind = addressClass(address, self);
    if (kind === "public" || (kind === "private" && inRanges(address, rule.private))) continue;
    return { ok: false, reason: kind === "self" ? "self_connection" : "ip_class" };
  }
  return { ok: true, addresses };
}

async function resolveWithin(wall: Wall, host: string): Promise<readonly string[] | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), wall.world.limits.resolveMs);
  try {
    return await Promise.race([wall.world.resolve(host), late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/** This machine's addresses and the configured ones. Loopback is refused as such. */
function ownAddresses(wall: Wall): ReadonlySet<string> {
  const local = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return new Set([
    ...local.filter((entry) => !entry.internal).map((entry) => entry.address),
    ...(wall.config.selfAddresses ?? []),
  ]);
}

/** Dials the vetted addresses in turn. `null`: none answered in time. */
export async function dialVetted(wall: Wall, addresses: readonly string[], port: number): Promise<Duplex | null> {
  for (const address of addresses.slice(0, 4)) {
    try {
      return await wall.world.dial(address, port, wall.world.limits.dialMs);
    } catch {
      // The next address may answer; the last failure is reported as "unreachable".
    }
  }
  return null;
}

/** The system's resolver, hosts file included, in the order it answers. */
export async function systemResolve(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true, verbatim: true })).map((answer) => answer.address);
}

export function systemDial(address: string, port: number, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no answer from ${address} within ${timeoutMs} ms`)), timeoutMs);
    socket.once("error", (error) => {
      clearTimeout(timer);
      fail(error);
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      // Until its new owner listens, and after: an error is also a "close", and must never be nobody's.
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}
