import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import type { Broker } from "#gateway/data.ts";
import { type Denial, refuseGit } from "#gateway/denial.ts";
import { tokenOf } from "#gateway/token.ts";
import { turnstile } from "#gateway/turnstile.ts";
import { type Admission, admit, record, type Wall } from "#gateway/wall.ts";
import type { Grant } from "#ports/gateway.ts";
import { type Asked, readFetch, readTarget } from "./asked.ts";
import { startBackend } from "./backend.ts";
import { answerFromCgi } from "./cgi.ts";
import { answerHook } from "./hook.ts";
import { readCommands } from "./pkt-line.ts";
import type { Push, Pushes } from "./pushes.ts";
import type { Repositories } from "./repositories.ts";

export const GIT_PATH = "/git/";
/** Gits at work for one sandbox. An agent needs one at a time; each is a process, and a large repository a large one. */
const AT_ONCE = 8;
/** Pack headers and commands on top of what the objects may weigh. */
const PUSH_OVERHEAD = 131_072;
/** "0000": the end of a list, also of an empty one. */
const FLUSH_BYTES = 4;

export interface RelayParts {
  readonly repositories: Repositories;
  readonly pushes: Pushes;
  readonly home: string;
  readonly hooks: string;
}

interface Admitted {
  readonly grant: Grant;
  readonly asked: Asked;
  readonly gitDir: string;
  readonly writes: boolean;
}

/** Smart HTTP for one repository per run, through `git http-backend`. */
export function gitRelay(wall: Wall, parts: RelayParts): Broker {
  const atWork = turnstile(AT_ONCE);
  return async ({ carrier, req, res, target }) => {
    const asked = readTarget(req.method ?? "", target);
    // git asks without a credential first and only sends one when challenged; that is a question, not a decision.
    if (req.headers.authorization === undefined) return refuseGit(res, { status: 401, reason: "no_run", rule: null });
    const token = tokenOf(req.headers.authorization);
    const admission = admit(wall, token, carrier);
    const { run, sandbox } = admission.ok ? admission.grant : admission;
    const place = { host: asked?.repo ?? "", port: 0, method: req.method ?? null };
    const line = { kind: "egress", via: "git", ...place, run, sandbox } as const;
    const deny = async (denial: Denial) => {
      const written = await record(wall, { ...line, outcome: "deny", reason: denial.reason, rule: denial.rule });
      refuseGit(res, written ? denial : { status: 403, reason: "fail_closed", rule: null });
    };
    const admitted = admittedTo(parts, admission, asked);
    if ("denial" in admitted) return await deny(admitted.denial);
    const key = admitted.grant.sandbox;
    /** One line per request that is served, on disk before git starts. A push has a line per ref instead. */
    const serve = async (body: Buffer | null) => {
      // Its body may have taken its time: the grant that stands now is the one that counts.
      const still = admittedTo(parts, admit(wall, token, carrier), asked);
      if ("denial" in still) return await deny(still.denial);
      if (!(await record(wall, { ...line, outcome: "allow", reason: "rule", rule: null }))) {
        return refuseGit(res, { status: 403, reason: "fail_closed", rule: null });
      }
      const remove = wall.connections.add({ sandbox: key, destination: null, cut: () => void res.destroy() });
      await answer(parts, { grant: still.grant, asked: still.asked, req, res, body: body && bodyOf(body), push: null });
      remove();
    };
    const worked = await atWork(key, async () => {
      if (admitted.asked.rest === "info/refs") return await serve(null);
      if (admitted.writes) return await receive(parts, { ...admitted, req, res, deny, serve });
      const body = await readFetch(req);
      if (!body) return await deny({ status: 400, reason: "bad_request", rule: null });
      await serve(body);
    });
    if (worked === "busy") await deny({ status: 403, reason: "connections", rule: null });
  };
}

function admittedTo(parts: RelayParts, admission: Admission, asked: Asked | null): Admitted | { denial: Denial } {
  const deny = (status: number, reason: string) => ({ denial: { status, reason, rule: null } });
  if (!admission.ok) return deny(admission.reason === "no_run" ? 401 : 403, admission.reason);
  const { grant } = admission;
  if (!asked) return deny(403, "path");
  if (grant.git?.repo !== asked.repo) return deny(403, "repo");
  const gitDir = parts.repositories.find(grant.run);
  if (!gitDir) return deny(404, "no_repository");
  const writes = asked.service === "git-receive-pack";
  if (writes && grant.git.branch === null) return deny(403, "read_only");
  if (writes && parts.repositories.isClosed(grant.run)) return deny(403, "push_closed");
  return { grant, asked, gitDir, writes };
}

/** The command list is read by us before git sees a byte; then git unpacks into quarantine and asks through the hook. */
async function receive(
  parts: RelayParts,
  o: {
    grant: Grant;
    gitDir: string;
    asked: Asked;
    req: IncomingMessage;
    res: ServerResponse;
    deny: (denial: Denial) => Promise<void>;
    serve: (body: Buffer) => Promise<void>;
  },
): Promise<void> {
  const { grant, gitDir, req, res } = o;
  // git never compresses a push; what does is not git.
  const encoding = req.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return await o.deny({ status: 400, reason: "bad_request", rule: null });
  const limit = (grant.git?.maxBytes ?? 0) + PUSH_OVERHEAD;
  const chunks = req[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head: Buffer = Buffer.alloc(0);
  let commands = readCommands(head);
  while (commands.kind === "more") {
    const next = await chunks.next().catch(() => null);
    if (!next || next.done) break;
    head = Buffer.concat([head, next.value]);
    commands = readCommands(head);
  }
  if (commands.kind !== "commands") return await o.deny({ status: 400, reason: "bad_request", rule: null });
  // Before a large push git asks with an empty list whether its credential is good (remote-curl's probe).
  if (commands.commands.length === 0) {
    if (head.length > FLUSH_BYTES) return await o.deny({ status: 400, reason: "bad_request", rule: null });
    return await o.serve(head);
  }
  const endPush = parts.repositories.beginPush(grant.run, () => {
    req.destroy();
    res.destroy();
  });
  if (!endPush) return await o.deny({ status: 403, reason: "push_closed", rule: null });
  const push = parts.pushes.begin({ grant, gitDir, commands: commands.commands });
  const body = new PassThrough();
  let size = head.length;
  let cutFor: "limit" | "incomplete" | null = null;
  body.write(head);
  const feed = async () => {
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      size += next.value.length;
      if (size > limit) {
        cutFor = "limit";
        break;
      }
      if (!body.write(next.value)) await new Promise((resolve) => body.once("drain", resolve).once("close", resolve));
    }
    body.end();
  };
  try {
    const feeding = feed().catch(() => {
      cutFor ??= "incomplete";
      body.end();
    });
    await answer(parts, { grant, asked: o.asked, req, res, body, push });
    body.destroy();
    await Promise.race([feeding, new Promise((resolve) => setImmediate(resolve))]);
    if (!push.decided) {
      const detail = "git refused the push before it could be judged: its size, or an object that is not sound.";
      await parts.pushes.recordRefused(push, cutFor ?? "unsound", detail);
    }
  } finally {
    parts.pushes.end(push);
    endPush();
  }
}

async function answer(
  parts: RelayParts,
  o: {
    grant: Grant;
    asked: Asked;
    req: IncomingMessage;
    res: ServerResponse;
    body: PassThrough | null;
    push: Push | null;
  },
): Promise<void> {
  const { grant, asked, req, push } = o;
  const { child, hook } = startBackend({ ...parts, runsDir: parts.repositories.runsDir }, grant, {
    path: `/${grant.run}.git/${asked.rest}`,
    query: asked.query,
    method: req.method ?? "",
    contentType: req.headers["content-type"] ?? "",
    protocol: req.headers["git-protocol"],
    isPush: push !== null,
  });
  if (push !== null && hook !== null) void answerHook(hook, (question) => parts.pushes.judge(push, question));
  await answerFromCgi(child, o.body, o.res);
}

function bodyOf(bytes: Buffer): PassThrough {
  const body = new PassThrough();
  body.end(bytes);
  return body;
}
