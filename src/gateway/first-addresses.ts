import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { z } from "zod";
import { replaceFile } from "./durable-file.ts";
import type { GrantBook } from "./grants.ts";

const Kept = z.array(z.strictObject({ sandbox: z.string(), tokenHash: z.string(), address: z.string() }));
type Entry = z.infer<typeof Kept>[number];

export interface FirstAddresses {
  /** Whether `address` is where this sandbox's token was first shown. The first one is on disk when this resolves. */
  claim(sandbox: string, tokenHash: string, address: string): Promise<boolean>;
}

/** Remembers, across restarts, from where each token first came; forgets it with its grant. */
export async function openFirstAddresses(file: string, grants: GrantBook): Promise<FirstAddresses> {
  const kept = new Map((await read(file)).map((entry) => [entry.tokenHash, entry]));
  let writing: Promise<void> = Promise.resolve();
  const lives = ({ sandbox, tokenHash }: Entry) => grants.bySandbox(sandbox)?.grant.tokenHash === tokenHash;
  return {
    async claim(sandbox, tokenHash, from) {
      const address = networkOf(from);
      const known = kept.get(tokenHash);
      if (known !== undefined) return known.address === address;
      const entry = { sandbox, tokenHash, address };
      kept.set(tokenHash, entry);
      for (const one of kept.values()) if (one !== entry && !lives(one)) kept.delete(one.tokenHash);
      const write = () => replaceFile(file, JSON.stringify([...kept.values()]));
      writing = writing.then(write, write);
      await writing;
      return true;
    },
  };
}

/** A machine has one IPv4 address, and a whole /64 of IPv6 to choose from. */
function networkOf(address: string): string {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  const missing =
    tail === undefined ? [] : Array<string>(8 - groups.length - (tail === "" ? 0 : tail.split(":").length)).fill("0");
  return [...groups, ...missing, ...(tail ? tail.split(":") : [])].slice(0, 4).join(":");
}

async function read(file: string): Promise<readonly Entry[]> {
  try {
    return Kept.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
