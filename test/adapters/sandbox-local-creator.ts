import { providerIn } from "./sandbox-local-bench.ts";

/** A control plane that makes a sandbox, starts a process in it, says so, and waits to be killed. Argument: the folder. */
const sandboxes = providerIn(process.argv[2] ?? "", 60_000);
const sandbox = await sandboxes.create(
  {
    key: "of-the-dead",
    image: "base",
    labels: { run: "dead" },
    gateway: null,
    limits: { memoryMiB: 256, pids: 64 },
    ttlMs: 600_000,
  },
  AbortSignal.timeout(25_000),
);
const burst = "process.stdout.write(Buffer.alloc(5000003, Buffer.from(Array.from({length:257},(_,at)=>at&255))))";
await sandbox.start("agent", {
  argv: ["node", "-e", `process.stdin.once("data", () => { ${burst}; process.stdin.destroy(); })`],
});
process.stdout.write(`${sandbox.id}\n`);
setInterval(() => undefined, 60_000);
