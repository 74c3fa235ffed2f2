import type { Socket } from "node:net";
import { type Authority, parseAuthority } from "./authority.ts";
import { denyTunnel, type Intercept, openTunnelTo } from "./connect.ts";
import type { Denial } from "./denial.ts";
import { gather, SOCKS_VERSION } from "./head.ts";
import { admit, type Wall } from "./wall.ts";

const PASSWORD_VERSION = 1;
const NO_METHOD = 0xff;
const BY_PASSWORD = 2;
const CONNECT = 1;
const [IPV4, NAME, IPV6] = [1, 3, 4] as const;
const PORT_BYTES = 2;

/** What one message says; `size` is how many bytes it took. "more": not all of it is there. */
export type Message<Body> =
  | { readonly kind: "more" }
  | { readonly kind: "bad" }
  | ({ readonly kind: "read"; readonly size: number } & Body);

const MORE = { kind: "more" } as const;
const BAD = { kind: "bad" } as const;

/** The greeting: which ways to say who one is the client has. RFC 1928 §3. */
export function readGreeting(bytes: Uint8Array): Message<{ readonly methods: readonly number[] }> {
  const [version, count] = bytes;
  if (version === undefined) return MORE;
  if (version !== SOCKS_VERSION || count === 0) return BAD;
  if (count === undefined || bytes.length < 2 + count) return MORE;
  return { kind: "read", size: 2 + count, methods: [...bytes.subarray(2, 2 + count)] };
}

/** A user name, of no interest here, and the run token as its password. RFC 1929 §2. */
export function readPassword(bytes: Uint8Array): Message<{ readonly token: string | null }> {
  const [version, nameSize] = bytes;
  if (version === undefined) return MORE;
  if (version !== PASSWORD_VERSION) return BAD;
  if (nameSize === undefined) return MORE;
  const at = 2 + nameSize;
  const tokenSize = bytes[at];
  if (tokenSize === undefined) return MORE;
  const size = at + 1 + tokenSize;
  if (bytes.length < size) return MORE;
  const token = Buffer.from(bytes.subarray(at + 1, size)).toString("utf8");
  return { kind: "read", size, token: token === "" ? null : token };
}

/** What is wanted, and from where. The name is judged byte by byte, as a CONNECT's is. RFC 1928 §4 and §5. */
export function readRequest(bytes: Uint8Array): Message<{ readonly command: number; readonly authority: Authority }> {
  const [version, command, reserved, type, first] = bytes;
  if (version !== undefined && version !== SOCKS_VERSION) return BAD;
  if (reserved !== undefined && reserved !== 0) return BAD;
  if (type !== undefined && type !== IPV4 && type !== NAME && type !== IPV6) return BAD;
  if (command === undefined || type === undefined || first === undefined) return MORE;
  const from = type === NAME ? 5 : 4;
  const to = from + (type === NAME ? first : type === IPV4 ? 4 : 16);
  const size = to + PORT_BYTES;
  if (bytes.length < size) return MORE;
  const address = bytes.subarray(from, to);
  const port = ((bytes[to] ?? 0) << 8) | (bytes[to + 1] ?? 0);
  const named = (): Authority => parseAuthority(Buffer.concat([address, Buffer.from(`:${port}`)]));
  const authority: Authority = type === NAME ? named() : { kind: "ip", host: addressText(address), port };
  return { kind: "read", size, command, authority };
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return `[${groups.join(":")}]`;
}

/** RFC 1928 §6: "not allowed by ruleset" unless there is a closer code. There is no room for words. */
function replyCode(reason: string): number {
  if (reason === "command") return 7;
  if (reason === "bad_request") return 1;
  if (reason === "dns" || reason === "unreachable") return 4;
  return 2;
}

/** With an address of no meaning: what we dialled is nobody's business. */
const reply = (code: number) => Buffer.from([SOCKS_VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0]);

/** How SOCKS says yes and no, for the part that decides. */
const DIALECT = {
  open: (socket: Socket) => void socket.write(reply(0)),
  refuse: (socket: Socket, { reason }: Denial) => void socket.end(reply(replyCode(reason))),
};

type Ended =
  | { readonly how: "left" }
  | { readonly how: "refused"; readonly reason: string; readonly answer: Buffer; readonly token: string | null }
  | { readonly how: "asked"; readonly request: Asked };

interface Asked {
  readonly command: number;
  readonly authority: Authority;
  readonly token: string;
  readonly rest: Buffer;
}

interface Client {
  readonly socket: Socket;
  readonly carrier: string | null;
  /** What was read of it already. */
  readonly bytes: Buffer;
}

/**
 * One SOCKS 5 connection, until it is a tunnel like any other. The run token is needed, as the password; a destination
 * is a name. Everything after that is the way of a CONNECT: one decision, one audit line.
 */
export async function handleSocks(wall: Wall, intercept: Intercept, client: Client): Promise<void> {
  const { socket, carrier } = client;
  const ended = await converse(wall, client);
  if (ended.how === "left") return void socket.destroy();
  if (ended.how === "refused") {
    const admission = admit(wall, ended.token, carrier);
    const { run, sandbox } = admission.ok ? admission.grant : admission;
    const refuse = () => void socket.end(ended.answer);
    const denial = { status: 403, reason: ended.reason, rule: null };
    return await denyTunnel(wall, refuse, { host: "", port: 0, run, sandbox }, denial);
  }
  const { command, ...request } = ended.request;
  const fault = command === CONNECT ? null : "command";
  await openTunnelTo(wall, intercept, { socket, carrier, ...request, fault, dialect: DIALECT });
}

/** Greeting, password and request, each answered as soon as it is whole; all of it within the time of one head. */
function converse(wall: Wall, { socket, carrier, bytes }: Client): Promise<Ended> {
  let seen: Buffer = Buffer.alloc(0);
  let token: string | null = null;
  const refused = (reason: string, answer: Buffer): Ended => ({ how: "refused", reason, answer, token });
  const notYet = (kind: "more" | "bad") => (kind === "more" ? null : refused("bad_request", reply(1)));

  const greeting = (): Ended | null => {
    const read = readGreeting(seen);
    if (read.kind !== "read") return notYet(read.kind);
    if (!read.methods.includes(BY_PASSWORD)) return refused("no_run", Buffer.from([SOCKS_VERSION, NO_METHOD]));
    socket.write(Buffer.from([SOCKS_VERSION, BY_PASSWORD]));
    return then(read.size, password);
  };
  const password = (): Ended | null => {
    const read = readPassword(seen);
    if (read.kind !== "read") return notYet(read.kind);
    token = read.token;
    const admission = admit(wall, token, carrier);
    if (!admission.ok) return refused(admission.reason, Buffer.from([PASSWORD_VERSION, 1]));
    socket.write(Buffer.from([PASSWORD_VERSION, 0]));
    return then(read.size, request);
  };
  const request = (): Ended | null => {
    const read = readRequest(seen);
    if (read.kind !== "read") return notYet(read.kind);
    const { command, authority, size } = read;
    return { how: "asked", request: { command, authority, token: token ?? "", rest: seen.subarray(size) } };
  };
  const then = (size: number, next: () => Ended | null): Ended | null => {
    seen = seen.subarray(size);
    step = next;
    return next();
  };
  let step = greeting;
  const take = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    return step();
  };
  socket.unshift(bytes);
  return gather<Ended>(socket, wall.world.limits.headMs, take, () => ({ how: "left" }));
}
