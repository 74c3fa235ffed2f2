import { createHash } from "node:crypto";
import type { Scope } from "#policy/scope.ts";
import type { Grant } from "#ports/gateway.ts";
import { type Sandbox, SandboxError, type SandboxSpec } from "#ports/sandbox.ts";
import { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import { deadlineNow, scopeNow } from "#runs/decision/narrow.ts";
import { gitConfig, npmConfig, packageEnv } from "#runs/reach.ts";
import { record } from "#runs/record/record.ts";
import { Fenced, type Run } from "#runs/run.ts";
import type { Slot } from "#runs/slot.ts";
import type { SandboxRow } from "#runs/stores.ts";
import { type Granted, granted, secretEnv } from "./granted.ts";
import { SandboxUnfit, sandboxUnfit } from "./unfit.ts";

/** Longer than any run may take: the provider's own net under our clean-up. */
const TTL_MARGIN_MS = 15 * 60_000;
/** What an agent may spend of its sandbox's life waiting for people; then its work is saved and the sandbox let go. */
const WAITING_MS = 60 * 60_000;
/** Most of it only ever passes when an agent is installed on its first use. */
const CREATE_MS = 15 * 60_000;
const MEMORY_MIB = 4_096;
const PIDS = 512;

export const LABEL = { app: "countersign" } as const;

/** What this sandbox may do now: the agent's gets the scope, the check's gets no model, no secret and no push. */
export function grantOf(
  core: Core,
  run: Run,
  key: string,
  slot: Slot,
  { egress, secrets, askable, budget }: Granted,
): Grant {
  if (run.baseOid === null) throw new Error(`run ${run.id} has no commit to start from`);
  const scope = scopeNow(core, run);
  // Checks have their own time limits and may begin at the end of the agent's: their way out lives as their sandbox does.
  const now = core.clock.now().getTime();
  const until = slot === "check" ? now + ttlOf(run) : (deadlineNow(core, run)?.getTime() ?? now) + TTL_MARGIN_MS;
  return {
    sandbox: key,
    run: run.id,
    epoch: run.epoch,
    tokenHash: hashOf(core.tokenFor(key)),
    expiresAt: new Date(until).toISOString(),
    egress,
    askable,
    secrets: secrets.map(({ name, placeholder }) => ({ name, placeholderHash: hashOf(placeholder) })),
    models: slot === "agent" ? scope.models : [],
    budget,
    uploadBytes: scope.limits.uploadBytes,
    registry: scope.registry,
    git: {
      repo: run.repo,
      branch: slot === "agent" ? run.branch : null,
      base: run.baseOid,
      paths: scope.paths,
      maxBytes: scope.limits.uploadBytes,
    },
  };
}

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** A sandbox of a run. `env`: what its processes have beside the way out. */
export interface RunSandbox {
  readonly sandbox: Sandbox;
  readonly token: string;
  readonly fresh: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Granted["secrets"];
}

/**
 * The live sandbox of this slot, made when there is none: intent first, then look-up and create by the provider under
 * the same key, then the record. A sandbox that is gone is said so and replaced by the next attempt. Throws
 * `SandboxUnfit` when one would have to be made and policy wants another by now than there is.
 */
export async function sandboxFor(core: Core, run: Run, slot: Slot, image: string): Promise<RunSandbox> {
  const row = await core.store.tx((tx) => core.stores.sandboxes.intend(tx, run, slot));
  const attached = row.state === "ready" ? row.providerId : null;
  const unmet = attached === null ? await sandboxUnfit(core, run) : null;
  if (unmet !== null) throw new SandboxUnfit(unmet);
  const token = core.tokenFor(row.key);
  const open = await granted(core, run, row.key, slot);
  await core.gateway.grant(grantOf(core, run, row.key, slot, open));
  const inside = { token, secrets: open.secrets, env: { ...secretEnv(open), ...packageEnv(core, open) } };
  if (attached !== null) {
    try {
      return { sandbox: ofOwner(core, run, await core.sandboxes.attach(attached)), fresh: false, ...inside };
    } catch (error) {
      if (!isGone(error)) throw error;
      await lost(core, run, row, error instanceof Error ? error.message : String(error));
      return sandboxFor(core, run, slot, image);
    }
  }
  const began = Date.now();
  const { capabilities } = await core.sandboxes.preflight();
  let sandbox: Sandbox;
  try {
    sandbox = await make(core, run, row.key, slot, image, token);
  } catch (error) {
    if (!isGone(error) && !isOther(error)) throw error;
    // It was made before we died, and has ended since or is larger than policy lets it be by now: its key is used up.
    const [made] = (await core.sandboxes.list({ ...LABEL, run: run.id })).filter(({ key }) => key === row.key);
    const why = error instanceof Error ? error.message : String(error);
    await lost(core, run, { ...row, providerId: made?.id ?? row.providerId }, why);
    return sandboxFor(core, run, slot, image);
  }
  await core.store.tx(async (tx) => {
    await core.stores.sandboxes.ready(tx, row.key, sandbox.id);
    await record(core, tx, run.id, run.epoch, [
      {
        kind: "sandbox.ready",
        sandbox: row.key,
        slot,
        provider: core.sandboxes.name,
        isolation: capabilities.isolation,
        ms: Date.now() - began,
      },
    ]);
  });
  return { sandbox: ofOwner(core, run, sandbox), fresh: true, ...inside };
}

/**
 * The sandbox as the run's owner has it. A worker that was stopped for a while does not know that another has taken the
 * run: in the middle of a step it would run the next command over the other's work, or end its agent. Throws `Fenced`
 * then. A look is no lock: what must not meet itself even so takes one inside (the clone does).
 */
function ofOwner(core: Core, run: Run, sandbox: Sandbox): Sandbox {
  const owned = async (): Promise<void> => {
    const now = await core.stores.runs.get(run.id);
    if (now?.epoch !== run.epoch) throw new Fenced(`run ${run.id} was taken; this worker holds epoch ${run.epoch}`);
  };
  return {
    ...sandbox,
    async exec(command, o) {
      await owned();
      return sandbox.exec(command, o);
    },
    async start(procId, command) {
      await owned();
      return sandbox.start(procId, command);
    },
    async kill(procId, signal) {
      await owned();
      return sandbox.kill(procId, signal);
    },
    async killAll() {
      await owned();
      return sandbox.killAll();
    },
  };
}

/** Made under the row's key, with the ways in that git and npm need. */
async function make(core: Core, run: Run, key: string, slot: Slot, image: string, token: string): Promise<Sandbox> {
  const sandbox = await core.sandboxes.create(
    {
      key,
      image,
      labels: { ...LABEL, run: run.id, slot },
      gateway: core.gateway.address,
      trust: await core.gateway.certificate(),
      token: new Secret("sandbox_token", token),
      limits: limitsOf(scopeNow(core, run)),
      ttlMs: ttlOf(run),
    },
    AbortSignal.timeout(CREATE_MS),
  );
  await Promise.all([
    sandbox.write(`${sandbox.home}/.gitconfig`, gitConfig(sandbox, token), { mode: 0o600 }),
    sandbox.write(`${sandbox.home}/.npmrc`, npmConfig(sandbox, token), { mode: 0o600 }),
  ]);
  return sandbox;
}

/** What policy says, else a size in which most repositories build. */
function limitsOf({ sandbox }: Scope): SandboxSpec["limits"] {
  const { cpu, memoryBytes, diskBytes } = sandbox;
  const mebibytes = (bytes: number) => Math.max(1, Math.floor(bytes / 2 ** 20));
  return {
    memoryMiB: memoryBytes === null ? MEMORY_MIB : mebibytes(memoryBytes),
    pids: PIDS,
    ...(cpu === null ? {} : { cpus: cpu }),
    ...(diskBytes === null ? {} : { diskMiB: mebibytes(diskBytes) }),
  };
}

const ttlOf = (run: Run): number => (run.scope?.limits.runtimeMs ?? 0) + WAITING_MS + TTL_MARGIN_MS;

/**
 * How long an agent can wait for a person in a sandbox that ends at `endsAt`: an answer that comes later would leave it
 * less than the `leftMs` that it still has to work.
 */
export const waitsUntil = (endsAt: Date, leftMs: number): Date => new Date(endsAt.getTime() - leftMs - TTL_MARGIN_MS);

/** Under the same key there is one of another size. */
const isOther = (error: unknown): boolean => error instanceof SandboxError && error.code === "conflict";

export const isGone = (error: unknown): boolean =>
  error instanceof SandboxError && (error.code === "gone" || error.code === "not_found");

/** Records that a sandbox will never return, and frees what is left of it. */
export async function lost(
  core: Core,
  run: Run,
  row: Pick<SandboxRow, "key" | "slot" | "providerId">,
  why: string,
): Promise<void> {
  await core.store.tx(async (tx) => {
    await core.stores.sandboxes.gone(tx, row.key);
    await record(core, tx, run.id, run.epoch, [{ kind: "sandbox.lost", sandbox: row.key, slot: row.slot, why }]);
  });
  await core.gateway.revoke(row.key);
  if (row.providerId !== null) await core.sandboxes.destroy(row.providerId);
}

/** Ends sandboxes of a run, side by side. All of them, or one slot's. */
export async function release(core: Core, run: Pick<Run, "id">, epoch: number | null, slot?: Slot): Promise<void> {
  const all = await core.stores.sandboxes.ofRun(run.id);
  const due = all.filter((row) => row.state !== "gone" && (slot === undefined || row.slot === slot));
  // Each to its end, also when another fails: the next try is about what is left.
  const ended = await Promise.allSettled(due.map((row) => end(core, run, epoch, row)));
  const failed = ended.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Token dead first, then processes and files. */
async function end(core: Core, run: Pick<Run, "id">, epoch: number | null, row: SandboxRow): Promise<void> {
  await core.gateway.revoke(row.key);
  if (row.providerId !== null) await core.sandboxes.destroy(row.providerId);
  else {
    // The intent was written and then we died: the provider knows by key whether it was made.
    for (const found of await core.sandboxes.list({ ...LABEL, run: run.id })) {
      if (found.key === row.key) await core.sandboxes.destroy(found.id);
    }
  }
  await core.store.tx(async (tx) => {
    await core.stores.sandboxes.gone(tx, row.key);
    await record(core, tx, run.id, epoch, [{ kind: "sandbox.destroyed", sandbox: row.key, slot: row.slot }]);
  });
  // Somebody may have granted it anew while it was still known as live (`regrant.ts`); from here on nobody does.
  await core.gateway.revoke(row.key);
}
