import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import type { Grant } from "#ports/gateway.ts";
import { gitEnvironment, gitSettings } from "./git.ts";

/** Where git finds what it needs of ours. */
interface Places {
  readonly home: string;
  readonly hooks: string;
  readonly runsDir: string;
}

interface Request {
  /** Below `runsDir`, with a slash in front. */
  readonly path: string;
  readonly query: string;
  readonly method: string;
  readonly contentType: string;
  readonly protocol: string | readonly string[] | undefined;
  readonly isPush: boolean;
}

interface Backend {
  readonly child: ChildProcessWithoutNullStreams;
  /** Of a push: what its hook has as descriptor 3 (see `hook.ts`). */
  readonly hook: Duplex | null;
}

/**
 * Most memory that the unpacking of a push may map, in KiB. A delta of a kilobyte may say that it makes gigabytes, and
 * git asks for them before it looks.
 */
const PUSH_KIB = 3 * 1024 * 1024;

/** Starts `git http-backend` (git-http-backend(1)) for one request. */
export function startBackend(places: Places, grant: Grant, request: Request): Backend {
  const { protocol } = request;
  const env = {
    ...gitEnvironment(places.home),
    ...gitSettings(settingsFor(places.hooks, grant)),
    GIT_PROJECT_ROOT: places.runsDir,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: request.path,
    REQUEST_METHOD: request.method,
    QUERY_STRING: request.query,
    CONTENT_TYPE: request.contentType,
    REMOTE_USER: "run",
    // Not version 2: it serves every object of the mirror to whoever knows its id. The older ones serve what the run's
    // refs reach (upload-pack, "allowReachableSHA1InWant").
    ...(typeof protocol === "string" && /^version=[01]$/.test(protocol) ? { GIT_PROTOCOL: protocol } : {}),
  };
  if (!request.isPush) return { child: spawn("git", ["http-backend"], { cwd: "/", env }), hook: null };
  const limited = 'ulimit -S -v "$1" && exec git http-backend';
  const child = spawn("/bin/sh", ["-c", limited, "sh", String(PUSH_KIB)], {
    cwd: "/",
    env,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
  });
  return { child: child as ChildProcessWithoutNullStreams, hook: child.stdio[3] as Duplex };
}

function settingsFor(hooks: string, grant: Grant): Record<string, string> {
  return {
    "core.hooksPath": hooks,
    "http.receivepack": String(grant.git?.branch !== null),
    "receive.fsckObjects": "true",
    "receive.maxInputSize": String(grant.git?.maxBytes ?? 1),
    "receive.denyDeletes": "true",
    "receive.denyNonFastForwards": "true",
    "receive.advertisePushOptions": "false",
    // Packs stay packs: unpacking a hostile one into loose objects would let it grow a thousandfold on disk.
    "receive.unpackLimit": "1",
    "receive.shallowUpdate": "false",
    // Each thread maps memory of its own, and a fetch of one run is not to take every core from the others.
    "pack.threads": "4",
    // Mapped packs count towards the limit on memory.
    "core.packedGitWindowSize": "64m",
    "core.packedGitLimit": "512m",
    // What a partial clone leaves out it asks for by id later, and ids alone get nothing here.
    "uploadpack.allowFilter": "false",
    // git offers the mirror's refs to build on (".have"): all branches of the forge, other runs' among them.
    "core.alternateRefsPrefixes": "refs/countersign-none/",
  };
}
