import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { openAuthority } from "#gateway/ca.ts";
import { type Clock, systemClock } from "#ports/clock.ts";
import { SandboxError, type SandboxProvider } from "#ports/sandbox.ts";
import { notifications } from "./events.ts";
import { type Model, unknownCall, wrongInUpload, wrongWith } from "./models.ts";
import { platformNetwork } from "./network.ts";
import { type Create, type Kept, platformSandboxes } from "./sandboxes.ts";

/** What the platform does wrong, or differently, from now on. Counts go down with every time it happens. */
export interface Faults {
  /** So many calls are told that they are too many, by the throttle of this name. */
  throttled: { times: number; seconds: number; name: string };
  /** A sandbox starts when this resolves, and fails when it rejects. */
  starting: Promise<void>;
  /** What became of one sandbox is answered when this resolves: until then its notifications alone tell. */
  reads: Promise<void>;
  /** So many orders are lost on their way: the connection is cut, and nothing is made. */
  droppedCreates: number;
  /** So many sandboxes are made, and the connection is cut before anybody hears of it. */
  lostCreates: number;
  /** So many sandboxes are made, and the answer is cut in the middle. */
  cutCreates: number;
  /** So many answers of a command are cut in the middle. */
  cutAnswers: number;
  /** So many commands are answered with the answer of the one before. */
  replays: number;
  /** What is idle is stopped, whatever was asked for. */
  stopsIdle: boolean;
  /** The allow list is taken and not held. */
  openNetwork: boolean;
  /** The organisation may have no allow list. */
  lowTier: boolean;
  /** Sandboxes on one page of a list, at most. */
  pageSize: number;
}

/** One request, as it came. Files are named and not kept. */
export interface Seen {
  /** The key that it came with; "": none that is known here. */
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export interface DaytonaDouble {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Another key of the same organisation, which may do the same. */
  readonly otherKey: string;
  readonly faults: Faults;
  /** Every request, oldest first. */
  readonly seen: Seen[];
  /** Requests that the vendor's own client could not have made, and answers of ours that it could not read. */
  readonly invalid: string[];
  /** How often a client has begun to listen for notifications. */
  followed(): number;
  /** Sandboxes that are there now, as "name: state". */
  sandboxes(): readonly string[];
  /** Everything that the platform keeps outside of its sandboxes, as text. */
  record(): string;
  close(): Promise<void>;
}

const PROXY = "http://127.0.0.1:3128";
const EXECUTE_S = 10;

/**
 * Daytona on this machine: the endpoints of its main and toolbox APIs that we use, with its notifications, over local
 * sandboxes. It proves our adapter, not Daytona. Endpoints, parameters and bodies are held against the vendor's
 * generated client (`daytona.schema.json`); states, names and refusals are as its documentation and its code have them.
 * The form of an upload has no model there (`uploadFiles` takes nothing but options): its fields are held to the names
 * that the vendor's SDK writes into it (`FileSystem.uploadFiles`), each path with its file.
 */
export async function daytonaDouble(o: {
  /** Where it keeps its network's socket and authority; short, since a socket's path is. */
  folder: string;
  local: SandboxProvider;
  clock?: Clock;
  /** Where a name that a sandbox may reach is. Default: this machine. */
  at?: (host: string, port: number) => { host: string; port: number };
}): Promise<DaytonaDouble> {
  const [apiKey, otherKey] = ["dtn_test_key", "dtn_other_key"];
  const faults: Faults = {
    throttled: { times: 0, seconds: 1, name: "authenticated" },
    starting: Promise.resolve(),
    reads: Promise.resolve(),
    droppedCreates: 0,
    lostCreates: 0,
    cutCreates: 0,
    cutAnswers: 0,
    replays: 0,
    stopsIdle: false,
    openNetwork: false,
    lowTier: false,
    pageSize: 50,
  };
  const seen: Seen[] = [];
  const invalid: string[] = [];
  const events = notifications([apiKey, otherKey]);
  const socket = path.join(o.folder, "net.sock");
  let origin = "";
  const sandboxes = platformSandboxes({
    local: o.local,
    network: `unix:${socket}`,
    clock: o.clock ?? systemClock,
    toolboxUrl: () => `${origin}/toolbox`,
    stopsIdle: () => faults.stopsIdle,
    starting: () => faults.starting,
    tell: events.tell,
  });
  const network = await platformNetwork({
    socket,
    reachOf: (key) => sandboxes.find(key.replace(/^daytona:/, ""))?.dto ?? null,
    at: o.at ?? ((_, port) => ({ host: "127.0.0.1", port })),
    authority: await openAuthority(o.folder, Date.now),
    isHeld: () => !faults.openNetwork,
  });
  /** The last answer of a command, by sandbox. */
  const last = new Map<string, string>();

  const server = createServer((req, res) => {
    handle(req, res).catch((error: unknown) => {
      invalid.push(`the double failed: ${error instanceof Error ? error.stack : String(error)}`);
      refuse(res, 500, "internal error");
    });
  });
  server.on("upgrade", (req, upgraded) => {
    if (req.url?.startsWith("/api/socket.io/")) events.accept(req, upgraded);
    else upgraded.destroy();
  });

  function send(res: ServerResponse, status: number, value: unknown, model: Model | null): void {
    const wrong = model === null ? null : wrongWith(model, value);
    if (wrong !== null) invalid.push(`our answer: ${wrong}`);
    const body = JSON.stringify(value ?? null);
    res.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
  }

  /** As the platform words its errors. */
  function refuse(
    res: ServerResponse,
    statusCode: number,
    message: string,
    headers: Record<string, string> = {},
  ): void {
    const body = JSON.stringify({ statusCode, message, source: "DAYTONA_API" });
    res.writeHead(statusCode, { "content-type": "application/json", ...headers }).end(body);
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? "/", origin);
    const method = req.method ?? "";
    const raw = await buffer(req);
    const isJson = req.headers["content-type"]?.startsWith("application/json") ?? false;
    const body: unknown = isJson && raw.length > 0 ? JSON.parse(raw.toString("utf8")) : null;
    const key = [apiKey, otherKey].find((one) => req.headers.authorization === `Bearer ${one}`) ?? "";
    seen.push({ key, method, path: url.pathname, body });
    if (key === "") return refuse(res, 401, "Invalid credentials");
    await sandboxes.pass();
    if (faults.throttled.times > 0) {
      faults.throttled.times -= 1;
      const { seconds, name } = faults.throttled;
      const limits = { [`Retry-After-${name}`]: String(seconds), [`X-RateLimit-Remaining-${name}`]: "0" };
      return refuse(res, 429, "ThrottlerException: Too Many Requests", limits);
    }
    const toolbox = /^\/toolbox\/([^/]+)(\/.*)$/.exec(url.pathname);
    const wrong =
      toolbox === null
        ? unknownCall("api-client", method, url.pathname.replace(/^\/api/, ""), url.searchParams)
        : unknownCall("toolbox-api-client", method, toolbox[2] ?? "", url.searchParams);
    if (wrong !== null) {
      invalid.push(wrong);
      return refuse(res, 404, wrong);
    }
    if (toolbox === null) return await main(req, res, url, body);
    return await inside(res, sandboxes.find(toolbox[1] ?? ""), toolbox[2] ?? "", { body, raw, headers: req.headers });
  }

  async function main(req: IncomingMessage, res: ServerResponse, url: URL, body: unknown): Promise<void> {
    const [, , id, verb] = url.pathname.replace(/^\/api/, "").split("/");
    if (id === undefined) return req.method === "POST" ? create(req, res, body) : list(res, url.searchParams);
    const one = sandboxes.find(decodeURIComponent(id));
    if (one === null) return refuse(res, 404, `Sandbox with ID or name ${id} not found`);
    if (verb === "last-activity") {
      sandboxes.active(one);
      return void res.writeHead(201).end();
    }
    if (req.method === "GET" && verb === undefined) {
      await faults.reads;
      return send(res, 200, one.dto, "Sandbox");
    }
    if (req.method === "DELETE" && verb === undefined) {
      if (one.dto.state === "destroying") return refuse(res, 409, "Sandbox state change in progress");
      sandboxes.destroy(one);
      return send(res, 200, one.dto, "Sandbox");
    }
    invalid.push(`nothing here answers ${req.method} ${url.pathname}`);
    refuse(res, 501, "not in this double");
  }

  function create(req: IncomingMessage, res: ServerResponse, body: unknown) {
    const wrong = wrongWith("CreateSandbox", body);
    if (wrong !== null) {
      invalid.push(wrong);
      return refuse(res, 400, wrong);
    }
    const asked = body as Create;
    if (faults.lowTier && (asked.domainAllowList ?? asked.networkAllowList) !== undefined) {
      return refuse(res, 403, "Network settings are not available for your organization's tier");
    }
    if (asked.name !== undefined && sandboxes.find(asked.name) !== null) {
      return refuse(res, 409, `Sandbox with name ${asked.name} already exists`);
    }
    if (faults.droppedCreates > 0) {
      faults.droppedCreates -= 1;
      return void req.socket.destroy();
    }
    const one = sandboxes.create(asked);
    if (faults.lostCreates > 0) {
      faults.lostCreates -= 1;
      return void req.socket.destroy();
    }
    if (faults.cutCreates > 0) {
      faults.cutCreates -= 1;
      return cut(res, one.dto);
    }
    send(res, 200, one.dto, "Sandbox");
  }

  /** Half of an answer that begins well. */
  function cut(res: ServerResponse, value: unknown): void {
    const whole = Buffer.from(JSON.stringify(value));
    res.writeHead(200, { "content-type": "application/json", "content-length": whole.length });
    res.write(whole.subarray(0, Math.floor(whole.length / 2)), () => res.socket?.destroy());
  }

  function list(res: ServerResponse, query: URLSearchParams): void {
    const labels = JSON.parse(query.get("labels") ?? "{}") as Record<string, string>;
    const matching = sandboxes
      .all()
      .map(({ dto }) => dto)
      .filter((dto) => Object.entries(labels).every(([name, value]) => dto.labels[name] === value));
    const from = Number(query.get("cursor") ?? 0);
    const to = from + Math.min(Number(query.get("limit") ?? 50), faults.pageSize);
    const items = matching.slice(from, to).map(({ env: _, ...item }) => item);
    send(res, 200, { items, nextCursor: to < matching.length ? String(to) : null }, "ListSandboxesResponse");
  }

  async function inside(
    res: ServerResponse,
    one: Kept | null,
    verb: string,
    o: { body: unknown; raw: Buffer; headers: IncomingMessage["headers"] },
  ): Promise<void> {
    if (one === null) return refuse(res, 404, "Sandbox not found");
    const { local, dto } = one;
    if (local === null) return refuse(res, 400, `Sandbox is not running (${dto.state})`);
    try {
      if (verb === "/files/bulk-upload") {
        const form = await new Response(new Uint8Array(o.raw), {
          headers: { "content-type": o.headers["content-type"] ?? "" },
        }).formData();
        const wrong = wrongInUpload([...form.keys()]);
        if (wrong !== null) {
          invalid.push(wrong);
          return refuse(res, 400, wrong);
        }
        for (let at = 0; form.has(`files[${at}].path`); at += 1) {
          const file = form.get(`files[${at}].file`);
          if (!(file instanceof File)) throw new Error(`files[${at}].file is no file`);
          await local.write(String(form.get(`files[${at}].path`)), new Uint8Array(await file.arrayBuffer()));
        }
        return void res.writeHead(200).end();
      }
      if (verb !== "/process/execute") {
        invalid.push(`nothing here answers ${verb}`);
        return refuse(res, 501, "not in this double");
      }
      const wrong = wrongWith("ExecuteRequest", o.body);
      if (wrong !== null) {
        invalid.push(wrong);
        return refuse(res, 400, wrong);
      }
      await execute(res, one, o.body as { command: string; cwd?: string; envs?: object; timeout?: number });
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      if (error.code === "gone") return refuse(res, 502, "the sandbox went away");
      refuse(res, error.code === "denied_path" ? 403 : 500, error.message);
    }
  }

  async function execute(
    res: ServerResponse,
    { local, dto }: Kept,
    asked: { command: string; cwd?: string; envs?: object; timeout?: number },
  ): Promise<void> {
    if (local === null) return refuse(res, 400, "Sandbox is not running");
    const { id } = dto;
    const before = last.get(id);
    const ran = await local.exec(
      {
        argv: ["sh", "-c", asked.command],
        ...(asked.cwd === undefined ? {} : { cwd: asked.cwd }),
        env: { HTTPS_PROXY: PROXY, ...dto.env, ...asked.envs },
      },
      { timeoutMs: (asked.timeout ?? EXECUTE_S) * 1000 },
    );
    if (ran.timedOut) return refuse(res, 408, "command execution timeout");
    const answer = { exitCode: ran.exitCode ?? 137, result: ran.stdout + ran.stderr };
    last.set(id, JSON.stringify(answer));
    if (faults.replays > 0 && before !== undefined) {
      faults.replays -= 1;
      return send(res, 200, JSON.parse(before), "ExecuteResponse");
    }
    if (faults.cutAnswers > 0) {
      faults.cutAnswers -= 1;
      return cut(res, answer);
    }
    send(res, 200, answer, "ExecuteResponse");
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    apiUrl: `${origin}/api`,
    apiKey,
    otherKey,
    faults,
    seen,
    invalid,
    followed: events.followed,
    sandboxes: () => sandboxes.all().map(({ dto }) => `${dto.name}: ${dto.state}`),
    record: () => JSON.stringify([sandboxes.all().map(({ dto }) => dto), seen]),
    async close() {
      events.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
      await network.close();
    },
  };
}
