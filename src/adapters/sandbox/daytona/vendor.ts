import type { Daytona, Sandbox } from "@daytonaio/sdk";
import type { Secret } from "#ports/secret.ts";

/**
 * The only file that knows Daytona's client: loaded when the first call is made, since it weighs 100 MB and takes half
 * a second. What it says goes out of here in our words, so that the next version of it is another file like this one.
 */
export interface Vendor extends AsyncDisposable {
  /** One call that changes nothing and that only a key of the organisation's is answered. */
  greet(): Promise<void>;
  /** Resolves when it is started. What is left after a throw, `VendorError.kind` says. */
  create(order: VendorOrder): Promise<Box>;
  /** `null`: there is none, or it is being destroyed. `id`: or its name. */
  get(id: string): Promise<Box | null>;
  /** All that bear every one of these labels, whatever state they are in, oldest first. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly Box[]>;
  /** Resolves when it is destroyed. Absent is success. */
  remove(id: string): Promise<void>;
  /** Counts as activity: the platform stops what is idle. */
  keepAlive(id: string): Promise<void>;
  /** Both streams of output in one. A non-zero exit is a result. */
  execute(id: string, command: string, timeoutMs: number): Promise<{ exitCode: number; output: string }>;
  /** By absolute path inside. Text and bytes come from memory, "from" from a file of this machine. */
  upload(id: string, files: ReadonlyMap<string, Uint8Array | { readonly from: string }>): Promise<void>;
}

/** A sandbox as Daytona keeps it. */
export interface Box {
  readonly id: string;
  readonly name: string;
  readonly state: "rising" | "started" | "over" | "failed";
  /** In Daytona's own words, for messages. */
  readonly said: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  /** `null`: it did not say. */
  readonly expiresAt: Date | null;
  readonly size: Size;
}

export interface Size {
  readonly cpus: number;
  readonly memoryGiB: number;
  readonly diskGiB: number;
}

export interface VendorOrder {
  readonly name: string;
  /** A snapshot has the size it was made with; what an image is given no number for is the organisation's default. */
  readonly base: { readonly snapshot: string } | { readonly image: string; readonly size: Partial<Size> };
  readonly labels: Readonly<Record<string, string>>;
  readonly ttlMinutes: number;
  /** Names that may be reached on the web's ports, or one IPv4 address; `null`: nothing at all. */
  readonly reach: { readonly domain: string } | { readonly address: string } | null;
}

export type VendorErrorKind =
  /** It does not exist. */
  | "not_found"
  /** The name is taken, or its state does not allow it now. */
  | "conflict"
  /** Too many calls: nothing was done, and `retryAfterMs` says when to come again. */
  | "throttled"
  /** It was heard and refused: nothing was done. */
  | "refused"
  /** It was made and did not start. */
  | "failed"
  /** Nobody knows whether it was done. */
  | "lost";

export class VendorError extends Error {
  override readonly name = "VendorError";
  readonly kind: VendorErrorKind;
  readonly retryAfterMs: number | null;

  constructor(kind: VendorErrorKind, message: string, o: { cause?: unknown; retryAfterMs?: number | null } = {}) {
    super(message, { cause: o.cause });
    this.kind = kind;
    this.retryAfterMs = o.retryAfterMs ?? null;
  }
}

export interface VendorOptions {
  readonly apiKey: Secret;
  /** "https://app.daytona.io/api", or where a platform of one's own answers. Never left to the client to find. */
  readonly apiUrl: string;
  /** Region; `null`: the organisation's own. */
  readonly target: string | null;
}

/** A call that only passes data. The client's own deadline is a day. */
const CALL_MS = 60_000;
/** A new image is built before its first sandbox starts. */
const CREATE_S = 600;
const DESTROY_S = 60;
/** Daytona's own way to say which default toolbox a sandbox has: it comes back among the labels. */
const ITS_OWN_LABEL = "code-toolbox-language";

const STATES: Readonly<Record<string, Box["state"] | "gone">> = {
  started: "started",
  ...Object.fromEntries(
    ["creating", "restoring", "starting", "pending_build", "building_snapshot", "pulling_snapshot", "resuming"].map(
      (state) => [state, "rising" as const],
    ),
  ),
  error: "failed",
  build_failed: "failed",
  destroyed: "gone",
  destroying: "gone",
};

export function daytonaVendor(o: VendorOptions): Vendor {
  let opened: Promise<Daytona> | null = null;
  /** The client's objects: each knows where its sandbox's toolbox answers. */
  const held = new Map<string, Sandbox>();

  const client = (): Promise<Daytona> => {
    opened ??= import("@daytonaio/sdk").then(
      ({ Daytona }) =>
        new Daytona({
          apiKey: o.apiKey.reveal(),
          apiUrl: o.apiUrl,
          ...(o.target === null ? {} : { target: o.target }),
          requestTimeoutMs: CALL_MS,
        }),
    );
    return opened;
  };

  function boxOf(sandbox: Sandbox): Box | null {
    const said = String(sandbox.state ?? "unknown");
    const state = STATES[said] ?? "over";
    if (state === "gone") {
      held.delete(sandbox.id);
      return null;
    }
    held.set(sandbox.id, sandbox);
    const { [ITS_OWN_LABEL]: _, ...labels } = sandbox.labels;
    return {
      id: sandbox.id,
      name: sandbox.name,
      state,
      said: sandbox.errorReason === undefined ? said : `${said}: ${sandbox.errorReason}`,
      labels,
      createdAt: new Date(sandbox.createdAt ?? 0),
      expiresAt: sandbox.autoDestroyAt === undefined ? null : new Date(sandbox.autoDestroyAt),
      size: { cpus: sandbox.cpu, memoryGiB: sandbox.memory, diskGiB: sandbox.disk },
    };
  }

  async function known(id: string): Promise<Sandbox> {
    return held.get(id) ?? (await (await client()).get(id));
  }

  return {
    async greet() {
      const daytona = await client();
      await said(() => daytona.list({ limit: 1 }).next());
    },
    async create({ name, base, labels, ttlMinutes, reach }) {
      const daytona = await client();
      const common = {
        name,
        labels: { ...labels },
        public: false,
        // Neither the model's silence nor a process in the background counts as activity: 15 minutes end such a run.
        autoStopInterval: 0,
        ttlMinutes,
        ...(reach === null
          ? { networkBlockAll: true }
          : "domain" in reach
            ? { domainAllowList: reach.domain }
            : { networkAllowList: `${reach.address}/32` }),
      };
      const sandbox = await said(() =>
        "snapshot" in base
          ? daytona.create({ ...common, snapshot: base.snapshot }, { timeout: CREATE_S })
          : daytona.create({ ...common, image: base.image, resources: resourcesOf(base.size) }, { timeout: CREATE_S }),
      );
      const box = boxOf(sandbox);
      if (box === null) throw new VendorError("failed", `sandbox ${name} was destroyed while it was being made`);
      return box;
    },
    async get(id) {
      const daytona = await client();
      try {
        return boxOf(await said(() => daytona.get(id)));
      } catch (error) {
        if (!(error instanceof VendorError) || error.kind !== "not_found") throw error;
        held.delete(id);
        return null;
      }
    },
    async list(labels) {
      const daytona = await client();
      const found = await said(async () => {
        const all: Sandbox[] = [];
        for await (const one of daytona.list({ labels: { ...labels }, limit: 100 })) all.push(one);
        return all;
      });
      return found
        .map(boxOf)
        .filter((box) => box !== null)
        .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
    },
    async remove(id) {
      const daytona = await client();
      try {
        await said(async () => (await daytona.get(id)).delete(DESTROY_S, true));
      } catch (error) {
        if (!(error instanceof VendorError) || error.kind !== "not_found") throw error;
      }
      held.delete(id);
    },
    async keepAlive(id) {
      await said(async () => (await known(id)).refreshActivity());
    },
    async execute(id, command, timeoutMs) {
      const seconds = Math.ceil(timeoutMs / 1000);
      const { exitCode, result } = await said(async () =>
        (await known(id)).process.executeCommand(command, undefined, undefined, seconds),
      );
      return { exitCode, output: result };
    },
    async upload(id, files) {
      const list = [...files].map(([destination, data]) => ({
        source: data instanceof Uint8Array ? Buffer.from(data) : data.from,
        destination,
      }));
      await said(async () => (await known(id)).fs.uploadFiles(list, CALL_MS / 1000));
    },
    async [Symbol.asyncDispose]() {
      const daytona = await opened;
      opened = null;
      held.clear();
      await daytona?.[Symbol.asyncDispose]();
    },
  };
}

const resourcesOf = ({ cpus, memoryGiB, diskGiB }: Partial<Size>) => ({
  ...(cpus === undefined ? {} : { cpu: cpus }),
  ...(memoryGiB === undefined ? {} : { memory: memoryGiB }),
  ...(diskGiB === undefined ? {} : { disk: diskGiB }),
});

/** What the client throws, in our words. */
async function said<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw errorOf(cause);
  }
}

interface ClientError extends Error {
  readonly statusCode?: number | undefined;
  readonly headers?: unknown;
}

function errorOf(cause: unknown): VendorError {
  if (!(cause instanceof Error)) return new VendorError("lost", String(cause), { cause });
  const { statusCode: status, headers, message } = cause as ClientError;
  const kind: VendorErrorKind =
    status === undefined
      ? /failed to start with status/.test(message)
        ? "failed"
        : "lost"
      : status === 404
        ? "not_found"
        : status === 409
          ? "conflict"
          : status === 429
            ? "throttled"
            : // An answer that begins well and is cut has the status of a success.
              status < 400 || status === 408 || status >= 500
              ? "lost"
              : "refused";
  return new VendorError(kind, `Daytona: ${message}`, { cause, retryAfterMs: retryAfter(headers) });
}

/** "Retry-After", and "Retry-After-sandbox-create": each of Daytona's throttles has a name. The longest counts. */
function retryAfter(headers: unknown): number | null {
  if (typeof headers !== "object" || headers === null) return null;
  const waits = Object.entries(headers)
    .filter(([name]) => /^retry-after(-|$)/i.test(name))
    .map(([, value]) => Number(value))
    .filter((seconds) => Number.isFinite(seconds) && seconds >= 0);
  return waits.length === 0 ? null : Math.max(...waits) * 1000;
}
