import { createHash } from "node:crypto";
import path from "node:path";
import { type ScriptedStep, scriptedAgents } from "#adapters/agent/scripted.ts";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { readPolicyFolder } from "#adapters/policy/folder.ts";
import { memoryRepoHost } from "#adapters/repo-host/memory.ts";
import { memorySandboxes } from "#adapters/sandbox/memory.ts";
import type { Program } from "#adapters/sandbox/memory-process.ts";
import { memoryEngine } from "#db/memory.ts";
import { type Database, openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import { memoryGateway } from "#gateway/memory.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { type Chat, ChatUnavailable, type Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import { type Changes, type Gateway, GatewayError } from "#ports/gateway.ts";
import type { SandboxProvider } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import { deliver } from "#runs/life/deliver.ts";
import { handlers } from "#runs/life/tick.ts";
import { factsOf } from "#runs/record/look.ts";
import { redactor } from "#runs/redact.ts";
import { hear } from "#runs/request/hear.ts";
import { vote } from "#runs/request/vote.ts";
import { pullRequestChanged } from "#runs/result/review.ts";
import type { Run } from "#runs/run.ts";
import { ingest } from "#runs/sandbox/audit.ts";
import { isFinal, queueOf, type RunState } from "#runs/state.ts";
import type { View } from "#runs/view.ts";
import { freshDatabase } from "#test/postgres.ts";

export const BASE = "b".repeat(40);
export const HEAD = "a".repeat(40);
const POLICIES = path.resolve(import.meta.dirname, "../../policies");

export const person = (id: string, name: string, kind: Account["kind"] = "member"): Account => ({
  provider: "slack",
  workspace: "T0LOCAL",
  id,
  name,
  kind,
  email: null,
});
export const ANA = person("U0ANA", "Ana");
export const BO = person("U0BO", "Bo");
export const CY = person("U0CY", "Cy");
export const DEE = person("U0DEE", "Dee", "guest");

/** What one test wants of the world; everything else goes well. */
export interface Script {
  /** What the agent does with a prompt. Default: writes one file. */
  play?: (prompt: string) => readonly ScriptedStep[];
  /** What the work tree differs in once the agent has written. Default: README.md. */
  changes?: Partial<Changes>;
  /** Exit codes of a setup or check command on base and head, in the order they run. Default: always 0. */
  checks?: (on: "base" | "head", times: number, command: string) => number | Promise<number>;
}

/** A real wall instead of the one in memory, and a repository behind it that can be cloned. */
export interface Wall {
  readonly gateway: Gateway;
  readonly sandboxes: SandboxProvider;
  readonly cloneUrl: string;
}

/**
 * The core over memory adapters and a database of its own on the real server (unless told), with the sample policies. Nothing
 * of it is a mock. It closes its database.
 */
export async function memoryHouse(
  script: Script = {},
  o: { wall?: Wall; database?: Database; core?: Partial<Core> } = {},
) {
  const wall = o.wall ?? null;
  const own = o.database === undefined ? await freshDatabase() : null;
  const database = o.database ?? (await openDatabase(own?.url ?? ""));
  const orgId = await ensureOrg(database.db, "test");
  const policyFiles = await readPolicyFolder(POLICIES);
  const loaded = loadPolicy(policyFiles, { commit: "test" });
  if (!loaded.ok) throw new Error("the sample policies do not load");
  const directory = memoryDirectory();
  for (const account of [ANA, BO, CY, DEE]) directory.put(account);
  for (const group of ["S0SITE", "S0SHOP", "S0DATA"])
    directory.group({ slack_usergroup: group }, ["U0ANA", "U0BO", "U0CY"]);
  for (const group of ["S0LEADS", "S0SEC"]) directory.group({ slack_usergroup: group }, ["U0BO"]);
  const gateway = memoryGateway();
  const repositories = ["acme/shop", "acme/site", "acme/reports"].map((name) => ({
    name,
    defaultBranch: "main",
    oid: BASE,
    ...(wall === null ? {} : { cloneUrl: wall.cloneUrl }),
  }));
  for (const { name } of repositories) gateway.holdRef(name, "refs/heads/main", BASE);
  const repoHost = memoryRepoHost({
    repositories,
    onChange: async (change) => {
      if (!world.deaf) await pullRequestChanged(core, change);
    },
  });

  const world = {
    dirty: false,
    pushed: null as string | null,
    on: "base" as "base" | "head",
    times: 0,
    offset: 0,
    pushes: 0,
    /** Messages of the commits that we made. */
    commits: [] as string[],
    /** Words of the forge about its pull requests are lost. */
    deaf: false,
    /** Nothing can be said to one person. */
    chatAway: false,
    /** What the gateway decided from now on comes into the record when this is resolved. */
    reader: Promise.resolve(),
  };
  const git = (verb: string, argv: readonly string[], out: (text: string) => void): number => {
    switch (verb) {
      case "clone":
        if (argv[2] !== "") world.on = argv[2] === BASE ? "base" : "head";
        return 0;
      case "save": {
        out("saved");
        if (!world.dirty) {
          out(world.pushed ?? BASE);
          return 0;
        }
        world.commits.push(argv[0] ?? "");
        world.pushes += 1;
        const oid = world.pushes === 1 ? HEAD : `${world.pushes}`.repeat(40).slice(0, 40);
        const run = [...gateway.grants.values()].find((grant) => grant.git?.branch)?.run ?? "";
        const files = [{ path: "README.md", status: "modified" as const, additions: 1, deletions: 0 }];
        if (!gateway.push(run, oid, { files, ...script.changes })) return 1;
        world.pushed = oid;
        out(oid);
        return 0;
      }
      default:
        throw new Error(`nobody plays ${verb}`);
    }
  };
  const program = (argv: readonly string[]): Program | null => {
    const [name = "", ...args] = argv;
    if (name === "sh") {
      const [, , verb = "", ...rest] = args;
      return async (ctx) => git(verb, rest, (text) => ctx.out(`${text}\n`));
    }
    if (name === "bash") {
      const line = args[1] ?? "";
      return async () => {
        world.times += 1;
        return (await script.checks?.(world.on, world.times, line)) ?? 0;
      };
    }
    return null;
  };
  const clock = { now: () => new Date(Date.now() + world.offset) };
  const sandboxes = wall?.sandboxes ?? memorySandboxes({ program, clock, limits: { cpu: "hard", memory: "hard" } });
  const agent = scriptedAgents({
    profile: { id: "scripted" },
    play: (prompt) => {
      const steps = script.play?.(prompt) ?? [{ write: "README.md", content: "made with care\n" }, { say: "Done." }];
      if (steps.some((step) => "write" in step)) world.dirty = true;
      return steps;
    },
  });

  const policy = {
    current: { ok: true, policy: loaded.policy, sources: new Map(policyFiles) } as ReturnType<Core["policy"]>,
    /** Someone edits a policy file: `from` becomes `to`, and the policy that results is in force. */
    edit(file: string, from: string, to: string): void {
      const before = policyFiles.get(file) ?? "";
      if (!before.includes(from)) throw new Error(`${file} has no ${from}`);
      policyFiles.set(file, before.replace(from, to));
      const next = loadPolicy(policyFiles, { commit: "edited" });
      if (!next.ok) throw new Error(JSON.stringify(next));
      policy.current = { ok: true, policy: next.policy, sources: new Map(policyFiles) };
    },
  };
  const logged: string[] = [];
  const core: Core = {
    orgId,
    baseUrl: "http://127.0.0.1:3000",
    clock,
    store: store(database.db),
    stores: stores(database, { orgId }),
    engine: memoryEngine(),
    directory,
    policy: () => policy.current,
    gateway: wall?.gateway ?? gateway,
    sandboxes,
    agents: new Map([["scripted", agent]]),
    defaultAgent: { id: "scripted", model: "scripted" },
    repoHost,
    signer: { keyId: "ed25519:test", publicKey: "none", sign: () => new Uint8Array(64) },
    tokenFor: (key) => `cst_${createHash("sha256").update(key).digest("base64url")}`,
    redact: redactor([{ name: "model", value: "sup3r-secret-value" }]),
    nudge: () => undefined,
    log: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields ?? {})}`),
    ...o.core,
  };
  await core.engine.work(handlers(core));
  const leaving = new AbortController();
  async function* heldBack(from: number, signal: AbortSignal): ReturnType<Gateway["audit"]> {
    for await (const one of core.gateway.audit(from, signal)) {
      await world.reader;
      yield one;
    }
  }
  const reading = (async () => {
    while (!leaving.signal.aborted) {
      try {
        await ingest({ ...core, gateway: { ...core.gateway, audit: heldBack } }, leaving.signal);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        // As a worker does: a gateway that went away is read again when it is back.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  })();

  let said = 0;
  const shown = new Map<string, View>();
  const whispered: { readonly to: string; readonly view: View }[] = [];
  const chat: Chat<View> = {
    async show(key, _place, view, before) {
      shown.set(key, view);
      return { messageId: before ?? key };
    },
    async whisper(_place, to, view) {
      if (world.chatAway) throw new ChatUnavailable("Slack is away", { retryAfterMs: 0 });
      whispered.push({ to: to.id, view });
    },
  };

  return {
    core,
    gateway,
    repoHost,
    directory,
    sandboxes,
    policy,
    logged,
    shown,
    /** What was said to one person. */
    whispered,
    world,
    /** Says something in a new conversation, or in the one of `run`. */
    async say(
      account: Account,
      text: string,
      o: { channel?: string; in?: Run; key?: string; shared?: boolean; direct?: boolean } = {},
    ): Promise<View | null> {
      said += 1;
      const thread = o.in?.place.thread ?? `${said}.0`;
      const place: Place = o.in?.place ?? {
        provider: "slack",
        workspace: "T0LOCAL",
        channel: o.channel ?? "C0SHOP",
        thread,
      };
      return hear(core, {
        account,
        place,
        first: o.in === undefined,
        requestKey: o.key ?? `say-${said}`,
        text,
        shared: o.shared ?? false,
        direct: o.direct ?? place.channel.startsWith("D"),
      });
    },
    /** The newest run, once it is in one of these states (or at rest in another final one, which fails the test). */
    async until(...states: RunState[]): Promise<Run> {
      for (const deadline = Date.now() + 15_000; ; ) {
        const [run] = await core.stores.runs.recent(orgId, 1);
        if (run && states.includes(run.state)) return run;
        if (Date.now() > deadline || (run && isFinal(run.state))) {
          const all = run ? await factsOf(core, run.id) : null;
          throw new Error(
            `the run is ${run?.state}, not ${states}: ${JSON.stringify(all?.handoff ?? all?.notices)} ${logged.join("\n")}`,
          );
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    /** What people are told beside a run's state, once something is. */
    async notices(run: Pick<Run, "id">): Promise<readonly string[]> {
      for (const deadline = Date.now() + 15_000; ; ) {
        const { notices } = await factsOf(core, run.id);
        if (notices.length > 0) return notices.map(({ text }) => text);
        if (Date.now() > deadline) throw new Error(`nothing is said: ${logged.join("\n")}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    /** The pending question of a run, once it is there. */
    async question(run: Pick<Run, "id">) {
      for (const deadline = Date.now() + 15_000; ; ) {
        const pending = (await core.stores.approvals.ofRun(run.id)).find((one) => one.status === "pending");
        if (pending) return pending;
        if (Date.now() > deadline) throw new Error(`nothing is asked: ${logged.join("\n")}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async answer(
      account: Account,
      approvalId: string,
      choice: "approve" | "deny" = "approve",
      o: { digest?: string; reason?: string } = {},
    ) {
      const approval = await core.stores.approvals.get(approvalId);
      const run = await core.stores.runs.get(approval?.runId ?? "");
      if (!approval || !run) throw new Error("no such approval");
      return vote(core, {
        approvalId,
        digest: o.digest ?? approval.digest,
        account,
        choice,
        reason: o.reason ?? null,
        place: run.place,
      });
    },
    /** Time passes: everything that is due because of it happens. */
    async pass(ms: number, run: Run): Promise<void> {
      world.offset += ms;
      const now = await core.stores.runs.get(run.id);
      if (!now) throw new Error("no such run");
      const { tick, agent: carry } = handlers(core);
      if (queueOf(now.state) === "agent") await carry(run.id, new AbortController().signal);
      else await tick(run.id);
    },
    async show(): Promise<ReadonlyMap<string, View>> {
      const done = new AbortController();
      await deliver(core, chat, async () => done.abort(), done.signal);
      return shown;
    },
    async close(): Promise<void> {
      leaving.abort();
      await reading;
      await core.engine.drain(1_000);
      await database.close();
      await own?.drop();
    },
  };
}
