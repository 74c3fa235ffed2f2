import path from "node:path";
import { installImage } from "#adapters/agent/install.ts";

const root = path.resolve(import.meta.dirname, "..", "..");

/** The folder of the programs `node` and `npm` of the oldest Node that a host may have, installed on first use. */
export async function oldestNode(): Promise<string> {
  const image = await installImage({
    name: "node-18",
    from: path.join(root, "test", "fixtures"),
    into: path.join(root, "node_modules", ".cache", "countersign-images"),
    npm: ["npm"],
    env: Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1])),
    signal: AbortSignal.timeout(240_000),
  });
  return path.join(image, "bin");
}
