import { randomUUID } from "node:crypto";
import type { Clock } from "#ports/clock.ts";
import type { Sandbox as LocalSandbox, SandboxProvider } from "#ports/sandbox.ts";

/** As the API shows one. `models.ts` holds each that goes out against the vendor's own model. */
export interface Dto {
  id: string;
  organizationId: string;
  name: string;
  snapshot?: string;
  user: string;
  env: Record<string, string>;
  labels: Record<string, string>;
  public: boolean;
  networkBlockAll: boolean;
  networkAllowList?: string;
  domainAllowList?: string;
  target: string;
  cpu: number;
  gpu: number;
  memory: number;
  disk: number;
  state: string;
  desiredState: string;
  errorReason?: string;
  autoStopInterval: number;
  autoDestroyAt?: string;
  createdAt: string;
  lastActivityAt: string;
  toolboxProxyUrl: string;
}

export interface Create {
  name?: string;
  snapshot?: string;
  buildInfo?: { dockerfileContent: string };
  labels?: Record<string, string>;
  env?: Record<string, string>;
  networkBlockAll?: boolean;
  networkAllowList?: string;
  domainAllowList?: string;
  cpu?: number;
  memory?: number;
  disk?: number;
  autoStopInterval?: number;
  ttlMinutes?: number;
}

export interface Kept {
  readonly dto: Dto;
  /** `null`: not started yet, or stopped. */
  local: LocalSandbox | null;
}

const IDLE_MINUTES = 15;
const SNAPSHOT_GIB = 4;

/**
 * The platform's sandboxes, each with a local one behind it. What the platform does by itself (stop what is idle, destroy
 * what has lived its time) it does when it is next asked for anything, by `clock`.
 */
export function platformSandboxes(o: {
  local: SandboxProvider;
  /** "unix:/path" of the platform's network. */
  network: string;
  clock: Clock;
  toolboxUrl: () => string;
  /** Whether an interval of 0 does not switch the idle stop off. */
  stopsIdle: () => boolean;
  /** How a start goes: resolves when it may go on, rejects with why it fails. */
  starting: () => Promise<void>;
  tell: (event: string, data: unknown) => void;
}) {
  const kept = new Map<string, Kept>();
  const now = () => o.clock.now();

  function move(one: Kept, state: string): void {
    const oldState = one.dto.state;
    one.dto.state = state;
    o.tell("sandbox.state.updated", { sandbox: one.dto, oldState, newState: state });
  }

  async function end(one: Kept, state: "stopped" | "destroyed"): Promise<void> {
    const { local } = one;
    one.local = null;
    if (local !== null) await o.local.destroy(local.id);
    if (state === "destroyed") kept.delete(one.dto.id);
    move(one, state);
  }

  async function start(one: Kept): Promise<void> {
    try {
      await o.starting();
      const local = await o.local.create(
        {
          key: `daytona:${one.dto.id}`,
          image: "base",
          labels: {},
          gateway: o.network,
          limits: { memoryMiB: one.dto.memory * 1024, pids: 512 },
          ttlMs: 3_600_000,
        },
        AbortSignal.timeout(60_000),
      );
      if (!kept.has(one.dto.id)) return await o.local.destroy(local.id);
      one.local = local;
      move(one, "started");
    } catch (error) {
      one.dto.errorReason = error instanceof Error ? error.message : String(error);
      move(one, "error");
    }
  }

  return {
    all: () => [...kept.values()],
    /** By id or name. */
    find: (idOrName: string) =>
      kept.get(idOrName) ?? [...kept.values()].find(({ dto }) => dto.name === idOrName) ?? null,
    create(asked: Create): Kept {
      const id = randomUUID();
      const at = now();
      const dto: Dto = {
        id,
        organizationId: "organization",
        name: asked.name ?? id,
        ...(asked.snapshot === undefined ? {} : { snapshot: asked.snapshot }),
        user: "root",
        env: asked.env ?? {},
        labels: asked.labels ?? {},
        public: false,
        networkBlockAll: asked.networkBlockAll ?? false,
        ...(asked.networkAllowList === undefined ? {} : { networkAllowList: asked.networkAllowList }),
        ...(asked.domainAllowList === undefined ? {} : { domainAllowList: asked.domainAllowList }),
        target: "here",
        cpu: asked.cpu ?? 1,
        gpu: 0,
        memory: asked.memory ?? SNAPSHOT_GIB,
        disk: asked.disk ?? 3,
        state: asked.buildInfo === undefined ? "creating" : "pending_build",
        desiredState: "started",
        autoStopInterval: asked.autoStopInterval ?? IDLE_MINUTES,
        ...(asked.ttlMinutes
          ? { autoDestroyAt: new Date(at.getTime() + asked.ttlMinutes * 60_000).toISOString() }
          : {}),
        createdAt: at.toISOString(),
        lastActivityAt: at.toISOString(),
        toolboxProxyUrl: o.toolboxUrl(),
      };
      const one: Kept = { dto, local: null };
      kept.set(id, one);
      void start(one);
      return one;
    },
    destroy(one: Kept): void {
      move(one, "destroying");
      void end(one, "destroyed");
    },
    active(one: Kept): void {
      one.dto.lastActivityAt = now().toISOString();
    },
    /** What time has done since anybody last looked. */
    async pass(): Promise<void> {
      for (const one of [...kept.values()]) {
        const { dto } = one;
        const at = now().getTime();
        const idleMs = at - Date.parse(dto.lastActivityAt);
        const limit = dto.autoStopInterval === 0 && o.stopsIdle() ? IDLE_MINUTES : dto.autoStopInterval;
        if (dto.autoDestroyAt !== undefined && at >= Date.parse(dto.autoDestroyAt)) await end(one, "destroyed");
        else if (dto.state === "started" && limit > 0 && idleMs >= limit * 60_000) await end(one, "stopped");
      }
    },
  };
}
