import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { localBench } from "#test/adapters/sandbox-local-bench.ts";
import { freePort } from "#test/command.ts";
import { type DaytonaDouble, daytonaDouble } from "./double.ts";

/** Daytona's double with what it needs on this machine, and what the product is started with to have its sandboxes there. */
export interface Platform {
  readonly double: DaytonaDouble;
  readonly settings: Readonly<
    Record<"DAYTONA_API_KEY" | "DAYTONA_API_URL" | "COUNTERSIGN_GATEWAY_URL" | "COUNTERSIGN_GATEWAY_LISTEN", string>
  >;
  /** Removes what is left in it too. */
  close(): Promise<void>;
}

/** A platform of our own: to its sandboxes a gateway at "localhost" is somewhere. */
export async function daytonaPlatform(): Promise<Platform> {
  const underneath = await localBench();
  const folder = await mkdtemp(path.join(tmpdir(), "cs-dt-"));
  const double = await daytonaDouble({ folder, local: underneath.provider });
  const port = await freePort();
  return {
    double,
    settings: {
      DAYTONA_API_KEY: double.apiKey,
      DAYTONA_API_URL: double.apiUrl,
      COUNTERSIGN_GATEWAY_URL: `https://localhost:${port}`,
      COUNTERSIGN_GATEWAY_LISTEN: `127.0.0.1:${port}`,
    },
    async close() {
      await double.close();
      for (const { id } of await underneath.provider.list({})) await underneath.provider.destroy(id);
      await underneath.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
