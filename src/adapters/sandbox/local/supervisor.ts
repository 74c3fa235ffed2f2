import type { ChildProcess } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import net from "node:net";
import type { Duplex, Readable } from "node:stream";
import { SandboxError } from "#ports/sandbox.ts";
import { isOp } from "#runner/protocol.ts";
import { type Box, FILES, readBox, writeJson } from "./box.ts";
import { oomKills } from "./cgroups.ts";
import { type ControlOp, type HostProcess, listen } from "./control.ts";
import { demolish } from "./demolish.ts";
import { carry } from "./doorway.ts";
import { hasEnded, identityOf } from "./identity.ts";
import { type RunnerLink, runnerLink } from "./runner-link.ts";

const START_MS = 20_000;
/** A sleeping machine stops timers but not the wall clock. */
const CLOCK_LOOK_MS = 15_000;
const LONGEST_COMPLAINT = 64 * 1024;

interface House {
  readonly link: RunnerLink;
  /** Resolves when nothing inside is left. */
  readonly over: Promise<void>;
  /** What bubblewrap and the runner said on their error stream. */
  complaint(): string;
  close(): void;
}

function tell(message: { ready: true } | { code: string; message: string }): void {
  try {
    writeSync(3, `${JSON.stringify(message)}\n`);
    closeSync(3);
  } catch (error) {
    // Who made us has died; the sandbox can still be found by its key.
    if (!["EPIPE", "EBADF"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** What `main.ts` has started: bubblewrap, its end, and the listening socket that comes out of it. */
export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly door: Promise<unknown>;
}

/** Takes the sandbox in hand. The door is open when this returns; calls wait for `link.ready`. */
function furnish(dir: string, box: Box, { child, ended, door }: Started, exited: (procId: string) => void): House {
  const pipes = child.stdio as readonly unknown[];
  let complaint = "";
  (pipes[2] as Readable).setEncoding("utf8").on("data", (text: string) => {
    if (complaint.length < LONGEST_COMPLAINT) process.stderr.write(text);
    complaint = (complaint + text).slice(0, LONGEST_COMPLAINT);
  });
  const link = runnerLink(pipes[4] as Duplex, { exited });
  void door.then((handle) => {
    if (!(handle instanceof net.Server) || box.spec.gateway === null) return;
    carry(handle, { gateway: box.spec.gateway.slice("unix:".length), key: box.spec.key });
    child.send({ kind: "taken" }); // It closes its copy, then this channel, and only then takes calls.
  });

  const report = (pipes[5] as Readable).setEncoding("utf8");
  let text = "";
  const init = new Promise<ReturnType<typeof identityOf>>((resolve) => {
    report.on("data", (piece: string) => {
      text += piece;
      const pid = /"child-pid"\s*:\s*(\d+)/.exec(text)?.[1];
      const [outer, first] = [identityOf(child.pid ?? 0), pid === undefined ? null : identityOf(Number(pid))];
      if (outer === null || first === null) return;
      writeJson(dir, FILES.inside, { outer, init: first });
      resolve(first);
    });
    report.once("close", () => resolve(null));
  });
  const over = ended.then(async () => {
    const first = await init;
    if (first !== null && !(await hasEnded(first, START_MS))) throw new Error("the processes inside do not end");
  });
  return { link, over, complaint: () => complaint.trim(), close: () => void child.kill("SIGKILL") };
}

/** Asks the runner to get out by every way we can think of, while somebody listens where it must not arrive. */
async function probe(house: House): Promise<void> {
  const name = `countersign-canary-${process.pid}`;
  const canaries = [
    net.createServer((socket) => socket.destroy()),
    net.createServer((socket) => socket.destroy()),
  ] as const;
  const listening = (server: net.Server, where: net.ListenOptions) =>
    new Promise<void>((resolve, reject) => server.once("error", reject).listen(where, resolve));
  await Promise.all([
    listening(canaries[0], { host: "127.0.0.1", port: 0 }),
    listening(canaries[1], { path: `\0${name}` }),
  ]);
  const { port } = canaries[0].address() as net.AddressInfo;
  await house.link.ready;
  const attempts = await house.link.call(
    "probe",
    { canaryPort: port, canaryName: name },
    AbortSignal.timeout(START_MS),
  );
  for (const server of canaries) server.close();
  const reached = attempts.filter((attempt) => attempt.reached);
  if (attempts.length === 0 || reached.length > 0) {
    const list = reached.map((attempt) => `${attempt.attempt} (${attempt.detail})`).join(", ");
    throw new SandboxError(
      "policy_unenforceable",
      `from inside the sandbox one can reach ${list || "we do not know what"}`,
    );
  }
}

/**
 * One process per sandbox: its identity, its owner and its clock. Needs nobody: a control plane may come and go. When
 * it dies, everything inside dies.
 */
export async function supervise(dir: string, started: Started): Promise<void> {
  const me = identityOf(process.pid);
  if (me === null) throw new Error("there is no /proc");
  writeJson(dir, FILES.supervisor, me);
  const box = readBox(dir);
  if (box === null) throw new Error(`no ${FILES.box} in ${dir}`);

  const kills = () => (box.memoryGroup === null ? 0 : oomKills(box.memoryGroup, box.groups === "v2" ? "v2" : "v1"));
  const killsAtStart = new Map<string, number>();
  const killsAtExit = new Map<string, number>();
  const house = furnish(dir, box, started, (procId) => killsAtExit.set(procId, kills()));
  const wasOom = (procId: string) => (killsAtExit.get(procId) ?? 0) > (killsAtStart.get(procId) ?? 0);
  const onHost = (
    one: Omit<HostProcess, "exit"> & { exit: { code: number | null; signal: string | null } | null },
  ): HostProcess => ({
    ...one,
    exit: one.exit === null ? null : { ...one.exit, oom: one.exit.code !== 0 && wasOom(one.procId) },
  });

  let control: net.Server | null = null;
  let ending: Promise<void> | null = null;
  const finish = (): Promise<void> => {
    ending ??= (async () => {
      control?.close();
      house.close();
      await house.over;
      await demolish(dir);
    })();
    return ending;
  };
  const leave = () => void finish().then(() => process.exit(0));

  const handle = async (op: ControlOp, request: never, signal: AbortSignal): Promise<unknown> => {
    if (op === "destroy") return finish().then(() => null);
    if (!isOp(op)) throw new SandboxError("invalid", `no call ${op}`);
    if (op === "start") {
      const { procId } = request as { procId: string };
      if (!killsAtStart.has(procId)) killsAtStart.set(procId, kills());
      return onHost(await house.link.call("start", request, signal));
    }
    if (op === "processes") return (await house.link.call("processes", request, signal)).map(onHost);
    return house.link.call(op, request, signal);
  };

  const expiresAt = box.createdAt + box.spec.ttlMs;
  const look = () => {
    const left = expiresAt - Date.now();
    if (left <= 0) leave();
    else setTimeout(look, Math.min(left, CLOCK_LOOK_MS));
  };
  look();

  try {
    const tooLong = setTimeout(() => house.close(), START_MS);
    const listening = listen(dir, (op, request, signal) => handle(op, request as never, signal));
    [control] = await Promise.all([listening, probe(house)]);
    clearTimeout(tooLong);
    control.once("close", leave); // After the last answer.
    // Whoever ended it, we did not: the record stays, so that somebody hears that it is gone.
    void house.over.then(() => (ending === null ? process.exit(1) : undefined));
    writeJson(dir, FILES.ready, true);
    tell({ ready: true });
  } catch (error) {
    const code = error instanceof SandboxError ? error.code : "unavailable";
    const message = [error instanceof Error ? error.message : String(error), house.complaint()]
      .filter(Boolean)
      .join(": ");
    await finish();
    tell({ code, message });
    process.exit(1);
  }
}
