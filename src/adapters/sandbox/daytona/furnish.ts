import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { programText } from "#adapters/sandbox/local/staging.ts";
import { INSIDE as HOST, MARK, type Order } from "#hosted/order.ts";
import { SandboxError } from "#ports/sandbox.ts";
import { flag, list, nullable, object, text } from "#runner/shape.ts";
import { calmly, type Patience } from "./patience.ts";
import { INSIDE, quoted } from "./places.ts";
import type { Vendor } from "./vendor.ts";

const SURVEY_MS = 30_000;
const START_MS = 120_000;
/** Oldest Node that our programs run on. */
const OLDEST_NODE = 22;

const PROGRAMS = {
  "host.cjs": "hosted/main.ts",
  [HOST.call]: "hosted/call.ts",
  "runner.cjs": "runner/main.ts",
} as const;

const hello = object({
  body: object({
    attempts: list(object({ attempt: text, reached: flag, detail: text })),
    /** What stands between the sandbox and the gateway. */
    door: nullable(text),
  }),
});

/** A folder of an image as one file on this machine, and the digest of what is in it. */
export interface Packed {
  readonly digest: string;
  readonly file: string;
}

/** Our programs, and images as archives below `folder`: each made once per process, whoever asks. */
export function stock(o: { readonly folder: string; readonly node: string }) {
  let programs: Promise<ReadonlyMap<string, Uint8Array>> | null = null;
  const images = new Map<string, Promise<Packed>>();
  return {
    programs(): Promise<ReadonlyMap<string, Uint8Array>> {
      programs ??= Promise.all(
        Object.entries(PROGRAMS).map(
          async ([name, entry]) => [name, Buffer.from(await programText(entry, o.node))] as const,
        ),
      ).then((all) => new Map(all));
      return programs;
    },
    image(folder: string): Promise<Packed> {
      const about = statSync(folder);
      const seen = [folder, about.dev, about.ino, about.mtimeMs].join("\0");
      const known = images.get(seen) ?? pack(folder, o.folder);
      images.set(seen, known);
      known.catch(() => images.delete(seen));
      return known;
    },
  };
}
export type Stock = ReturnType<typeof stock>;

/** The same files give the same bytes: neither times nor owners are kept. */
async function pack(folder: string, into: string): Promise<Packed> {
  mkdirSync(into, { recursive: true, mode: 0o700 });
  const fresh = path.join(into, `.${randomBytes(6).toString("hex")}.tar.gz`);
  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=a+rX"];
  try {
    const words = ["-C", folder, ...same, "--use-compress-program=gzip -n", "-cf", fresh, "."];
    await promisify(execFile)("tar", words, { env: { PATH: "/usr/bin:/bin" } });
    const hash = createHash("sha256");
    for await (const piece of createReadStream(fresh)) hash.update(piece as Buffer);
    const digest = hash.digest("hex").slice(0, 24);
    const file = path.join(into, `${digest}.tar.gz`);
    if (!existsSync(file)) renameSync(fresh, file);
    return { digest, file };
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** What `furnish` found out from inside. */
export interface Furnished {
  /** Ways out that are not the gateway. */
  readonly reached: readonly string[];
  readonly tried: number;
  /** Why the gateway cannot be reached; `null`: it can. */
  readonly door: string | null;
}

/**
 * Makes a started sandbox usable: our programs, the image unless the base brought it, the host. Three calls of the API;
 * any number of callers may do it at once, and the host that answers first is everybody's. Throws "gone" when a host was
 * there and has ended.
 */
export async function furnish(
  o: { vendor: Vendor; patience: Patience; stock: Stock },
  id: string,
  image: Packed,
  order: Omit<Order, "run" | "runner" | "workdir" | "home">,
): Promise<Furnished> {
  const run = (command: string, ms: number) => calmly(o.patience, () => o.vendor.execute(id, command, ms));
  const upload = `${INSIDE.uploads}/${randomBytes(8).toString("hex")}`;
  const there = `${INSIDE.images}/${image.digest}`;
  const survey = await run(surveyLine(upload, there), SURVEY_MS);
  const version = Number(/^node v(\d+)\./m.exec(survey.output)?.[1] ?? 0);
  if (survey.exitCode !== 0 || version < OLDEST_NODE) {
    const why = version === 0 ? survey.output.trim().slice(-500) || "there is no node in it" : `its node is ${version}`;
    throw new SandboxError(
      "unsupported",
      `this base system cannot be used: ${why}. It needs Node ${OLDEST_NODE} or newer, git, bash and tar`,
    );
  }

  const files = new Map<string, Uint8Array | { from: string }>();
  for (const [name, code] of await o.stock.programs()) files.set(`${upload}/${name}`, code);
  const whole: Order = {
    ...order,
    workdir: INSIDE.workdir,
    home: INSIDE.home,
    run: INSIDE.run,
    runner: `${upload}/runner.cjs`,
  };
  files.set(`${upload}/order.json`, Buffer.from(JSON.stringify(whole)));
  const bring = !/^image$/m.test(survey.output);
  if (bring) files.set(`${upload}/image.tar.gz`, { from: image.file });
  await calmly(o.patience, () => o.vendor.upload(id, files));

  const started = await run(startLine(upload, there, bring), START_MS);
  const said = started.output.split(MARK)[1];
  if (said === undefined) {
    const why = started.output.trim().slice(-1_000);
    if (why.includes("the host of this sandbox has ended")) {
      throw new SandboxError("gone", `the runner in sandbox ${id} has ended; destroy it and take another key`);
    }
    throw new SandboxError("unavailable", `sandbox ${id} could not be set up: ${why || "no output"}`);
  }
  const { state, part } = object({ id: text, state: text, size: (v) => v, from: (v) => v, part: text })(
    JSON.parse(said),
    "hello",
  );
  if (state !== "answered") throw new SandboxError("unavailable", `sandbox ${id} is still being set up`);
  const { attempts, door } = hello(JSON.parse(part), "hello").body;
  const reached = attempts.filter((one) => one.reached).map((one) => `${one.attempt} (${one.detail})`);
  return { reached, tried: attempts.length, door };
}

/** Makes the folders, and says which Node there is and whether the image is there already. */
function surveyLine(upload: string, there: string): string {
  const ours = [INSIDE.workdir, INSIDE.home].map(quoted).join(" ");
  return [
    `mkdir -p ${ours} 2>/dev/null || { sudo -n mkdir -p ${ours} && sudo -n chown "$(id -u):$(id -g)" ${ours}; }`,
    `mkdir -p ${quoted(INSIDE.images)} && umask 077 && mkdir -p ${quoted(upload)}`,
    `if test -d ${quoted(there)}; then echo image; fi`,
    'command -v git >/dev/null && command -v bash >/dev/null && command -v tar >/dev/null && echo "node $(node --version)"',
  ].join(" && ");
}

/** Puts the image in place in one step, then starts the host or finds that somebody has. */
function startLine(upload: string, there: string, bring: boolean): string {
  const fresh = `${upload}/image`;
  const place = [
    `mkdir ${quoted(fresh)} && tar -C ${quoted(fresh)} -xzf ${quoted(`${upload}/image.tar.gz`)}`,
    `chmod 755 ${quoted(fresh)} && rm ${quoted(`${upload}/image.tar.gz`)}`,
    `{ mv -T ${quoted(fresh)} ${quoted(there)} 2>/dev/null || test -d ${quoted(there)}; }`,
  ];
  return [
    ...(bring ? place : []),
    `ln -sfn ${quoted(there)} ${quoted(INSIDE.image)}`,
    `chmod 755 ${quoted(upload)} && node ${quoted(`${upload}/host.cjs`)} start ${quoted(upload)}`,
  ].join(" && ");
}
