import { EventEmitter, once } from "node:events";
import { type AuditLine, type Changes, type Gateway, GatewayError, type Grant, type Usage } from "#ports/gateway.ts";
import { add, NO_USAGE } from "./model/ledger.ts";

/** The port, and what the world beyond the wall does, told by the test. */
export interface MemoryGateway extends Gateway {
  /** Grants in force, by sandbox. */
  readonly grants: ReadonlyMap<string, Grant>;
  /** How often `lease` was called. */
  readonly leases: number;
  /** Says what the forge holds: `ref` of repository `name` is at `oid`. */
  holdRef(name: string, ref: string, oid: string): void;
  /** And that a text file lies at `path` in commit `oid`. */
  holdFile(name: string, oid: string, path: string, text: string): void;
  /** A sandbox pushes. `false`: the door is closed or there is no repository. */
  push(run: string, oid: string, changes?: Partial<Changes>): boolean;
  /** A decision or a metered call happens. A "model" line counts towards usage. */
  happen(line: AuditLine): void;
  /** The process dies: every open audit stream breaks, every call throws "unavailable" until `revive`. */
  die(): void;
  revive(): void;
}

interface Repository {
  branch: string;
  head: string;
  closed: boolean;
  changes: Partial<Changes>;
}

/** Keeps everything in maps and lets nothing through, for there is nothing. For tests of the core. */
export function memoryGateway(): MemoryGateway {
  const grants = new Map<string, Grant>();
  const refs = new Map<string, string>();
  const files = new Map<string, string>();
  const repositories = new Map<string, Repository>();
  const usages = new Map<string, Usage>();
  const lines: AuditLine[] = [];
  const news = new EventEmitter().setMaxListeners(0);
  let leases = 0;
  let dead = false;

  const alive = () => {
    if (dead) throw new GatewayError("unavailable", "the gateway does not answer");
  };

  async function* audit(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }> {
    alive();
    for (let at = from; !signal.aborted; ) {
      const line = lines[at];
      if (line) {
        at += 1;
        yield { next: at, line };
      } else {
        alive();
        await once(news, "news", { signal }).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
      }
    }
  }

  return {
    address: "unix:/memory/data.sock",
    grants,
    get leases() {
      return leases;
    },
    async lease() {
      alive();
      leases += 1;
    },
    async grant(grant) {
      alive();
      const before = grants.get(grant.sandbox);
      if (before && grant.epoch < before.epoch) {
        throw new GatewayError("stale", `epoch ${before.epoch} is in force for ${grant.sandbox}`);
      }
      grants.set(grant.sandbox, grant);
    },
    async revoke(sandbox) {
      alive();
      grants.delete(sandbox);
    },
    async certificate() {
      alive();
      return "-----BEGIN CERTIFICATE-----\nof nobody\n-----END CERTIFICATE-----\n";
    },
    async mirror(repo, ref) {
      alive();
      const oid = refs.get(`${repo.name} ${ref}`);
      if (!oid) throw new GatewayError("not_found", `${repo.name} has no ${ref}`);
      return { oid };
    },
    async file(repo, oid, path, maxBytes) {
      alive();
      const text = files.get(`${repo} ${oid} ${path}`) ?? null;
      if (text !== null && Buffer.byteLength(text) > maxBytes)
        throw new GatewayError("invalid", `${path} is larger than ${maxBytes} bytes`);
      return text;
    },
    async openRepository(run, repo, branch, at) {
      alive();
      const known = [...refs].some(([key, oid]) => key.startsWith(`${repo} `) && oid === at);
      if (!known) throw new GatewayError("not_found", `commit ${at} is not in the mirror`);
      const before = repositories.get(run);
      if (before) before.closed = false;
      else repositories.set(run, { branch, head: at, closed: false, changes: {} });
    },
    async closePush(run) {
      alive();
      const repository = repositories.get(run);
      if (!repository) throw new GatewayError("not_found", `run ${run} has no repository`);
      repository.closed = true;
      return { oid: repository.head, gitDir: `/memory/${run}.git` };
    },
    async changes(run, base, head, maxBytes) {
      alive();
      const repository = repositories.get(run);
      if (!repository) throw new GatewayError("not_found", `run ${run} has no repository`);
      const none = { commits: [], files: [], patch: "", truncated: false, secrets: [], asks: [] };
      const changes: Changes = { ...none, ...repository.changes, base, head };
      if (Buffer.byteLength(changes.patch) <= maxBytes) return changes;
      return { ...changes, patch: changes.patch.slice(0, maxBytes), truncated: true };
    },
    async forget(run) {
      alive();
      for (const [sandbox, grant] of grants) if (grant.run === run) grants.delete(sandbox);
      repositories.delete(run);
      usages.delete(run);
    },
    async usage(run) {
      alive();
      return usages.get(run) ?? NO_USAGE;
    },
    audit,
    async audited() {
      alive();
      return lines.length;
    },
    holdRef: (name, ref, oid) => void refs.set(`${name} ${ref}`, oid),
    holdFile: (name, oid, path, text) => void files.set(`${name} ${oid} ${path}`, text),
    push(run, oid, changes = {}) {
      const repository = repositories.get(run);
      if (!repository || repository.closed) return false;
      Object.assign(repository, { head: oid, changes });
      return true;
    },
    happen(line) {
      lines.push(line);
      if (line.kind === "model" && line.run !== null) {
        usages.set(line.run, add(usages.get(line.run) ?? NO_USAGE, line.usage));
      }
      news.emit("news");
    },
    die() {
      dead = true;
      news.emit("news");
    },
    revive: () => {
      dead = false;
    },
  };
}
