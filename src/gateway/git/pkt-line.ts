/** One line of a push: what ref should move from where to where. Object ids are 40 hex digits. */
export interface RefCommand {
  readonly old: string;
  readonly new: string;
  readonly ref: string;
}

export type Commands =
  | { readonly kind: "more" }
  | { readonly kind: "bad" }
  | { readonly kind: "commands"; readonly commands: readonly RefCommand[] };

export const ZERO_OID = "0".repeat(40);
/** A push of ours names one ref; a few hundred is already odd. */
const COMMAND_BYTES = 65_536;
const BAD: Commands = { kind: "bad" };

/**
 * Reads the command list at the start of a git-receive-pack request (gitprotocol-pack, "reference discovery"), up to its
 * flush packet. Strict: four hex digits, no packet of length 1 to 4, nothing but commands and shallow lines.
 */
export function readCommands(bytes: Buffer): Commands {
  const commands: RefCommand[] = [];
  let at = 0;
  for (;;) {
    if (at > COMMAND_BYTES) return BAD;
    const packet = packetAt(bytes, at);
    if (packet === "bad") return BAD;
    if (packet === "more") return bytes.length > COMMAND_BYTES ? BAD : { kind: "more" };
    if (packet === "flush") return { kind: "commands", commands };
    if (packet === "delimiter") return BAD;
    at = packet.end;
    const line = packet.data.toString("latin1");
    if (/^shallow [0-9a-f]{40}\n?$/.test(line)) continue;
    const [head = ""] = line.split("\0", 1);
    if (commands.length > 0 && line.includes("\0")) return BAD;
    const match = /^([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]{1,1000})\n?$/.exec(head);
    if (!match) return BAD;
    const ref = Buffer.from(match[3] ?? "", "latin1").toString("utf8");
    commands.push({ old: match[1] ?? "", new: match[2] ?? "", ref });
  }
}

/** Whether a whole body is well-formed packets to its last byte. For fetch requests, which are small. */
export function isPacketStream(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    const packet = packetAt(bytes, at);
    if (packet === "bad" || packet === "more") return false;
    at = typeof packet === "string" ? at + 4 : packet.end;
  }
  return true;
}

function packetAt(bytes: Buffer, at: number): { data: Buffer; end: number } | "more" | "bad" | "flush" | "delimiter" {
  const digits = bytes.subarray(at, at + 4).toString("latin1");
  if (!/^[0-9a-fA-F]*$/.test(digits)) return "bad";
  if (digits.length < 4) return "more";
  const length = Number.parseInt(digits, 16);
  if (length === 0) return "flush";
  if (length === 1 || length === 2) return "delimiter";
  if (length <= 4 || length > 65_520) return "bad";
  if (at + length > bytes.length) return "more";
  return { data: bytes.subarray(at + 4, at + length), end: at + length };
}
