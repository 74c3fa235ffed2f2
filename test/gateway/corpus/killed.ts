import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { localBench, noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { basic } from "#test/gateway/wire.ts";
import type { Outcome } from "./outcome.ts";

/** Asks at the sandbox's own door, and says what came until the connection ended: an answer's first line, or nothing. */
const ASK = `
const { hostname, port } = new URL(process.argv[1]);
let heard = "";
const socket = require("node:net").connect(port, hostname, () =>
  socket.write("CONNECT plain.allowed.test:443 HTTP/1.1\\r\\nProxy-Authorization: ${basic("tok")}\\r\\n\\r\\n"));
socket.on("data", (data) => { heard += data; socket.end(); })
  .on("error", () => {}) // A reset is an end without a byte too.
  .on("close", () => console.log(heard.split("\\r\\n")[0]));
`;

/**
 * A gateway dies that answered a moment before. Asked again from inside a real sandbox, whose supervisor lives on: it
 * holds the connection in case a gateway comes back, and ends it without a byte when none does. `null`: not without
 * bubblewrap.
 */
export async function gatewayKilled(): Promise<Outcome | null> {
  if (noBubblewrap !== null) return null;
  const root = await mkdtemp(path.join(tmpdir(), "cs-kill-"));
  const bench = await localBench();
  const script = path.join(import.meta.dirname, "gateway-process.ts");
  const gateway = spawn(process.execPath, [script, root], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(gateway, "exit");
  try {
    const [address] = (await once(gateway.stdout.setEncoding("utf8"), "data")) as [string];
    const limits = { memoryMiB: 512, pids: 64 };
    const sandbox = await bench.provider.create(
      { key: "killed", image: bench.image, labels: {}, gateway: address.trim(), limits, ttlMs: 600_000 },
      AbortSignal.timeout(25_000),
    );
    const ask = async () => {
      const ran = await sandbox.exec({ argv: ["node", "-e", ASK, sandbox.gatewayUrl] }, { timeoutMs: 60_000 });
      return ran.timedOut ? "it never ended" : `${ran.stdout}${ran.stderr}`.trim();
    };
    const before = await ask();
    gateway.kill("SIGKILL");
    await gone;
    const after = await ask();
    return {
      decision: after === "" ? "deny" : "allow",
      reason: after === "" ? "no_path" : after,
      faults: before.startsWith("HTTP/1.1 4") ? [] : [`before, the gateway answered "${before}"`],
    };
  } finally {
    gateway.kill("SIGKILL");
    for (const { id } of await bench.provider.list({})) await bench.provider.destroy(id);
    await bench.dispose();
    await rm(root, { recursive: true, force: true });
  }
}
