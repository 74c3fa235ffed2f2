import type { Duplex } from "node:stream";
import type { Secret, SecretSource } from "#ports/secret.ts";

/** One model service as the operator configured it. A sandbox can never name it. */
export interface ModelUpstream {
  /** OpenAI-compatible: with its version, "https://…/v1". Anthropic: without, "https://…". May be a private address. */
  readonly baseUrl: string;
  readonly key: Secret | null;
}

/** How hosted sandboxes come to the gateway. */
export interface PublicDoor {
  /** As they know it: "https://host[:port]". */
  readonly url: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. `null`: one of our own authority, which every sandbox is told to trust. */
  readonly certificate: { readonly chain: string; readonly key: string } | null;
}

export interface GatewayConfig {
  /** Grants, journal, git and sockets live here. Made when absent, 0700. */
  readonly stateDir: string;
  /** Where sandboxes are carried to. Default: `<stateDir>/data.sock`. A unix path has at most 107 bytes. */
  readonly dataSocket?: string;
  /** Where the control plane speaks. 0600. Default: `<stateDir>/admin.sock`. */
  readonly adminSocket?: string;
  /** Unheard for so long, new requests are denied. Default: one minute. */
  readonly leaseMs?: number;
  /** Unheard for so long, `orphaned` resolves. Default: ten minutes. */
  readonly orphanMs?: number;
  readonly models: { readonly openai: ModelUpstream | null; readonly anthropic: ModelUpstream | null };
  readonly registry: { readonly baseUrl: string; readonly auth: Secret | null } | null;
  /** Where intercepted rules' secrets come from; without it a rule with a secret answers "secret". */
  readonly secrets?: SecretSource | null;
  /** For sandboxes that are on no machine of ours; without it only those that a supervisor vouches for come in. */
  readonly publicDoor?: PublicDoor | null;
  /** Addresses of ours beside this machine's own, e.g. a load balancer in front. Never dialled. */
  readonly selfAddresses?: readonly string[];
}

/** Numbers that only tests need to change. */
export interface Limits {
  readonly headMs: number;
  readonly helloMs: number;
  readonly dialMs: number;
  readonly resolveMs: number;
  readonly modelIdleMs: number;
  readonly uploadBytes: number;
  readonly modelBodyBytes: number;
  /** How long the end of a push is waited for when its door closes. */
  readonly pushGraceMs: number;
  /** How often open connections are held against their grants' end. */
  readonly sweepMs: number;
  /** Tunnels open at once, per sandbox. */
  readonly connections: number;
  /** A file of the audit journal this large is followed by another; what the control plane has taken in is removed. */
  readonly journalBytes: number;
}

export const LIMITS: Limits = {
  headMs: 30_000,
  helloMs: 5_000,
  dialMs: 10_000,
  resolveMs: 5_000,
  modelIdleMs: 300_000,
  uploadBytes: 20_000_000,
  modelBodyBytes: 32_000_000,
  pushGraceMs: 10_000,
  sweepMs: 5_000,
  connections: 512,
  journalBytes: 16_000_000,
};

/** The outside world, for tests: names, connections, the clock. */
export interface GatewayWorld {
  resolve(host: string): Promise<readonly string[]>;
  dial(address: string, port: number, timeoutMs: number): Promise<Duplex>;
  now(): number;
  readonly limits: Limits;
  /** PEM roots trusted beside the system's for intercepted upstreams. */
  readonly trust: readonly string[];
}
