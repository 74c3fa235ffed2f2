import { setTimeout as sleep } from "node:timers/promises";
import { checkHeld, checkSpec } from "#adapters/sandbox/spec.ts";
import { type Clock, systemClock } from "#ports/clock.ts";
import {
  type Capabilities,
  type Problem,
  type Sandbox,
  SandboxError,
  type SandboxProvider,
  type SandboxSpec,
} from "#ports/sandbox.ts";
import { type Handle, openSandbox } from "./client.ts";
import { named, refusal, unavailable } from "./failures.ts";
import { furnish, type Packed, stock } from "./furnish.ts";
import { gatewayProblem } from "./gateway-url.ts";
import { checkLabels, checkSize, digestOf, infoOf, LABELS, orderOf } from "./order.ts";
import { calmly, type Patience } from "./patience.ts";
import { type Box, daytonaVendor, VendorError, type VendorOptions } from "./vendor.ts";

export interface DaytonaOptions extends VendorOptions {
  /** Whose sandboxes these are: another installation in the same organisation sees none of them. */
  readonly installation: () => string;
  /** What a sandbox begins as. A snapshot is up at once and has its own size; an image is built on its first use. */
  readonly base: { readonly snapshot: string } | { readonly image: string };
  /** Folder of an image on this host, or `null` when there is none by that name. */
  readonly imageFolder: (image: string) => Promise<string | null>;
  /** Where archives of images are kept. */
  readonly folder: string;
  /** The Node 24 program of this host. */
  readonly node: string;
  /** "https://host[:port]" at which the gateway can be reached from anywhere; `null`: it cannot. */
  readonly gatewayUrl: string | null;
  readonly clock?: Clock;
  readonly patience?: Patience;
  /** Addresses of a name. Default: what this machine's resolver says. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** Where processes inside find the gateway. Not the port of a local sandbox, so that one may be inside of the other. */
const PROXY_PORT = 3129;
/** A create whose answer was lost is looked for so often before it is called unknown. */
const LOOKS = 5;
/** A name that somebody else took is soon to be seen under its label. */
const LOOKS_FOR_NAMESAKE = 2;
const LOOK_MS = 1_000;
/** Longest that a create of somebody else is waited for. */
const RISING_MS = 600_000;
/** While Daytona moves a sandbox from one state to another it refuses to destroy it. */
const DESTROY_TRIES = 60;

/** Asked for and held by Daytona, not measured by us: so "advisory". The way out is probed in every sandbox. */
const CAPABILITIES: Capabilities = {
  isolation: "container",
  egress: "enforced",
  limits: { cpu: "advisory", memory: "advisory", pids: "none", disk: "advisory" },
};

export interface HostedSandboxes extends SandboxProvider, AsyncDisposable {
  /**
   * Shows Daytona the key, once: `preflight` is asked before each run and calls nobody. `null`: Daytona takes it. Throws
   * "unavailable" when it does not say.
   */
  keyProblem(): Promise<Problem | null>;
}

/**
 * Sandboxes at Daytona. Found again by labels alone: nothing about them is kept here. Inside runs the same runner as in
 * a local sandbox, and the only name that can be reached from there is our gateway's; a sandbox from which anything else
 * answers is refused and removed. `SandboxSpec.gateway` says whether there is a way out; where it leads is `gatewayUrl`,
 * since a socket of this machine is nothing to a machine elsewhere.
 */
export function daytonaSandboxes(o: DaytonaOptions): HostedSandboxes {
  const vendor = daytonaVendor(o);
  const clock = o.clock ?? systemClock;
  const patience = o.patience ?? { pause: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}) };
  const shelf = stock({ folder: o.folder, node: o.node });
  const calm = <T>(call: () => Promise<T>, signal?: AbortSignal) => calmly(patience, call, signal);

  async function look(id: string): Promise<Box | null> {
    try {
      return await calm(() => vendor.get(id));
    } catch (error) {
      throw named(error, `Daytona does not say what became of sandbox ${id}`);
    }
  }

  async function explain(id: string, cause: unknown): Promise<SandboxError> {
    const what = `sandbox ${id} does not answer`;
    try {
      const box = await look(id);
      if (box === null) return new SandboxError("gone", `sandbox ${id} was destroyed`, { cause });
      if (box.state === "started" || box.state === "rising") return unavailable(cause, what);
      return new SandboxError("gone", `sandbox ${id} does not run any more: Daytona says ${box.said}`, { cause });
    } catch (error) {
      return unavailable(error, what);
    }
  }

  async function remove(id: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await calm(() => vendor.remove(id));
      } catch (error) {
        const moving = error instanceof VendorError && error.kind === "conflict";
        if (!moving || tries >= DESTROY_TRIES) throw named(error, `sandbox ${id} could not be destroyed`);
        await patience.pause(LOOK_MS);
      }
    }
  }

  const handle: Handle = {
    vendor,
    patience,
    clock,
    explain,
    gatewayUrl: `http://127.0.0.1:${PROXY_PORT}`,
    async info(id) {
      const box = await look(id);
      if (box === null) throw new SandboxError("gone", `sandbox ${id} was destroyed`);
      return infoOf(box);
    },
  };

  /** Should two ever be made under one key, the elder is everybody's. */
  async function find(key: string, signal?: AbortSignal): Promise<Box | null> {
    const labels = { [LABELS.installation]: o.installation(), [LABELS.key]: key };
    return (await calm(() => vendor.list(labels), signal))[0] ?? null;
  }

  /** Makes it, or finds what became of it. `null`: somebody else has the name and cannot be seen yet. */
  async function make(spec: SandboxSpec, signal: AbortSignal): Promise<{ box: Box; isOurs: boolean } | null> {
    const { gatewayUrl, base } = o;
    const order = orderOf(spec, { installation: o.installation(), base, gatewayUrl });
    try {
      const box = await calm(() => vendor.create(order), signal);
      const elder = await find(spec.key);
      if (elder === null || elder.id === box.id) return { box, isOurs: true };
      await remove(box.id);
      return { box: elder, isOurs: false };
    } catch (error) {
      if (!(error instanceof VendorError)) throw error;
      if (error.kind === "refused") throw refusal(error);
      if (error.kind === "failed") {
        const broken = await find(spec.key);
        if (broken?.state !== "failed") throw error;
        await remove(broken.id);
        throw new SandboxError("unavailable", `sandbox ${spec.key} did not start: Daytona says ${broken.said}`);
      }
      const looks = error.kind === "conflict" ? LOOKS_FOR_NAMESAKE : LOOKS;
      for (let turn = 0; turn < looks; turn += 1) {
        const there = await find(spec.key);
        if (there !== null) return { box: there, isOurs: error.kind !== "conflict" };
        await patience.pause(LOOK_MS);
      }
      if (error.kind === "conflict") return null;
      const why = `Daytona did not say whether sandbox ${spec.key} was made, and does not list it: ${error.message}`;
      throw new SandboxError("unknown_outcome", why, { cause: error });
    }
  }

  async function risen(box: Box, signal: AbortSignal): Promise<Box> {
    let now: Box | null = box;
    for (const until = performance.now() + RISING_MS; now?.state === "rising"; now = await look(box.id)) {
      if (performance.now() > until) throw new SandboxError("unavailable", `sandbox ${box.id} does not start`);
      await patience.pause(LOOK_MS, signal);
    }
    if (now?.state === "started") return now;
    const why = now === null ? "it was destroyed" : `Daytona says ${now.said}`;
    throw new SandboxError("unavailable", `sandbox ${box.id} did not start: ${why}`);
  }

  /** Sets a started sandbox up, and sees from inside that the gateway answers and nobody else does. */
  async function settle(spec: SandboxSpec, box: Box, image: Packed): Promise<void> {
    checkSize(box, spec);
    const url = spec.gateway === null ? null : o.gatewayUrl;
    const gateway = url === null ? null : { url, token: spec.token?.reveal() ?? null, authority: spec.trust ?? null };
    const order = { port: PROXY_PORT, trust: spec.trust ?? null, gateway };
    const { reached, tried, door } = await furnish({ vendor, patience, stock: shelf }, box.id, image, order);
    if (tried === 0 || reached.length > 0) {
      const what = reached.join(", ") || "we do not know what";
      const why = `from inside the sandbox one can reach ${what}: Daytona holds an allow list from its third tier on`;
      throw new SandboxError("policy_unenforceable", why);
    }
    if (door !== null) {
      const why = `from inside the sandbox the gateway at ${url} cannot be reached: ${door}. An allow list at Daytona opens names on the web's ports: the gateway should answer on 443`;
      throw new SandboxError("unavailable", why);
    }
  }

  async function create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const folder = await o.imageFolder(spec.image);
    if (folder === null) throw new SandboxError("invalid", `no image ${spec.image}`);
    const image = await shelf.image(folder);
    for (;;) {
      signal.throwIfAborted();
      const there = await find(spec.key, signal);
      if (there !== null && there.labels[LABELS.spec] !== digestOf(spec))
        throw new SandboxError("conflict", `sandbox ${spec.key} exists with another spec`);
      if (there?.state === "over") {
        const why = `sandbox ${there.id} does not run any more (Daytona says ${there.said}); destroy it and take another key`;
        throw new SandboxError("gone", why);
      }
      if (there?.state === "failed") {
        // It never started, so nobody was ever promised anything.
        await remove(there.id);
        continue;
      }
      const made = there === null ? await make(spec, signal) : { box: there, isOurs: false };
      if (made === null) continue;
      const { box, isOurs } = made;
      try {
        signal.throwIfAborted();
        await settle(spec, await risen(box, signal), image);
        signal.throwIfAborted();
        return openSandbox(handle, box.id, spec.key);
      } catch (error) {
        // What another one made, that one may be setting up. What is refused is nobody's.
        const refused = error instanceof SandboxError && error.code === "policy_unenforceable";
        if (isOurs || refused) await remove(box.id);
        throw error;
      }
    }
  }

  const isOurs = (box: Box) => box.labels[LABELS.installation] === o.installation();

  return {
    name: "daytona",
    async preflight() {
      const problem = await gatewayProblem(o.gatewayUrl, o.apiUrl, o.resolve);
      return { capabilities: CAPABILITIES, problems: problem === null ? [] : [problem] };
    },
    async keyProblem() {
      try {
        await vendor.greet();
        return null;
      } catch (error) {
        const kind = error instanceof VendorError ? error.kind : null;
        // Whoever has made too many calls was known before they were counted.
        if (kind === "throttled") return null;
        const why = error instanceof Error ? error.message : String(error);
        if (kind === "refused")
          return {
            what: `Daytona refuses DAYTONA_API_KEY (${why})`,
            fix: "Make a key in Daytona's dashboard, with rights to create, list and delete sandboxes, and see that DAYTONA_API_URL is the platform it was made at.",
          };
        if (kind === "not_found")
          return {
            what: `there is no API of Daytona's at ${o.apiUrl} (${why})`,
            fix: "Correct DAYTONA_API_URL, or unset it for Daytona's own.",
          };
        throw named(error, "Daytona does not say whether it takes DAYTONA_API_KEY");
      }
    },
    async create(spec, signal) {
      signal.throwIfAborted();
      checkSpec(spec);
      checkHeld(spec, CAPABILITIES, "daytona");
      checkLabels(spec.labels);
      if (spec.gateway !== null && o.gatewayUrl === null) {
        const problem = await gatewayProblem(null, o.apiUrl);
        throw new SandboxError("unsupported", `${problem?.what}. ${problem?.fix}`);
      }
      try {
        return await create(spec, signal);
      } catch (error) {
        throw signal.aborted ? signal.reason : named(error, `sandbox ${spec.key} could not be made`);
      }
    },
    async attach(id) {
      const box = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(id) ? await look(id) : null;
      if (box === null || box.id !== id || !isOurs(box))
        throw new SandboxError("not_found", `no sandbox ${JSON.stringify(id)}`);
      if (box.state === "rising") throw new SandboxError("unavailable", `sandbox ${id} is still being made`);
      if (box.state !== "started")
        throw new SandboxError("gone", `sandbox ${id} does not run any more: Daytona says ${box.said}`);
      return openSandbox(handle, id, box.labels[LABELS.key] ?? "");
    },
    async list(labels) {
      try {
        const boxes = await calm(() => vendor.list({ ...labels, [LABELS.installation]: o.installation() }));
        return boxes.map(infoOf);
      } catch (error) {
        throw named(error, "Daytona does not list its sandboxes");
      }
    },
    async destroy(id) {
      const box = await look(id);
      if (box !== null && isOurs(box)) await remove(box.id);
    },
    [Symbol.asyncDispose]: () => vendor[Symbol.asyncDispose](),
  };
}
