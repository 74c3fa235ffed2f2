import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** A unix socket's path has at most 107 bytes (unix(7)); a deep data folder gets its sockets elsewhere. */
const SOCKET_PATH_BYTES = 107;

/** Where the gateway keeps its state and listens. The same for everyone who starts from this data folder. */
export function gatewaySockets(dataDir: string): { stateDir: string; dataSocket: string; adminSocket: string } {
  const stateDir = path.join(dataDir, "gateway");
  const near = path.join(stateDir, "admin.sock");
  const name = createHash("sha256").update(dataDir).digest("hex").slice(0, 12);
  const folder =
    Buffer.byteLength(near) <= SOCKET_PATH_BYTES
      ? stateDir
      : path.join(tmpdir(), `countersign-${process.getuid?.() ?? 0}-${name}`);
  return { stateDir, dataSocket: path.join(folder, "data.sock"), adminSocket: path.join(folder, "admin.sock") };
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** The operator's policy, else the sample organisation. Of a policy in a repository it is a person's own checkout. */
export const policyFolder = ({ policyDir }: { readonly policyDir: string | null }): string =>
  policyDir ?? path.join(root, "policies");

/** Where the running service says how it is reached, for the command line on the same machine. */
export const serviceFile = (dataDir: string): string => path.join(dataDir, "service.json");

/** Where the policy's repository is mirrored, for the service and for the command line; `home` stays empty. */
export function policyMirrorPlace(
  dataDir: string,
  of: { readonly url: string | null; readonly repo: string; readonly branch: string; readonly folder: string },
): { dir: string; home: string } {
  const name = createHash("sha256")
    .update(JSON.stringify([of.url, of.repo, of.branch, of.folder]))
    .digest("hex");
  return { dir: path.join(dataDir, "policy", name.slice(0, 16)), home: path.join(dataDir, "policy", "home") };
}
