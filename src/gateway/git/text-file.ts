import { GatewayError } from "#ports/gateway.ts";
import type { Git } from "./git.ts";

/** A text file of a bare repository at a commit. `null`: there is none, or it is no plain file. */
export async function textFile(
  git: Git,
  gitDir: string,
  o: { oid: string; path: string; maxBytes: number },
): Promise<string | null> {
  if (!/^[0-9a-f]{40}$/.test(o.oid)) throw new GatewayError("invalid", `"${o.oid}" is not a commit id`);
  const known = await git(["cat-file", "-e", `${o.oid}^{commit}`], { gitDir });
  if (known.code !== 0) throw new GatewayError("not_found", `the mirror has no commit ${o.oid}`);
  const listed = await git(["--literal-pathspecs", "ls-tree", "-z", "--long", o.oid, "--", o.path], { gitDir });
  // "<mode> blob <oid> <size>\t<path>"; a link or a folder is not a file, and a folder's name does not list what is in it.
  const entry = /^100(?:644|755) blob ([0-9a-f]{40}) +([0-9]+)\t([^\0]*)\0$/.exec(listed.stdout.toString("utf8"));
  if (!entry || entry[3] !== o.path) return null;
  const [, blob = "", size = ""] = entry;
  if (Number(size) > o.maxBytes)
    throw new GatewayError("invalid", `${o.path} has ${size} bytes, ${o.maxBytes} may be read`);
  const content = await git(["cat-file", "blob", blob], { gitDir });
  if (content.code !== 0) throw new GatewayError("unavailable", `git cat-file: ${content.stderr}`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content.stdout);
    if (!text.includes("\0")) return text;
  } catch {
    // Not UTF-8: said below.
  }
  throw new GatewayError("invalid", `${o.path} is not text`);
}
