import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { GatewayError, type Grant } from "#ports/gateway.ts";
import { replaceFile, syncFolder } from "./durable-file.ts";

/** A grant as it lies on disk. A revoked one stays until its run is forgotten, to answer "run_over". */
export interface HeldGrant {
  readonly grant: Grant;
  readonly revoked: boolean;
}

export interface GrantBook {
  bySandbox(sandbox: string): HeldGrant | null;
  /** `null`: no such token was ever granted, or its run is forgotten. */
  byToken(token: string): HeldGrant | null;
  /** Every grant of a run, newest epoch first. */
  ofRun(run: string): readonly HeldGrant[];
  runs(): readonly string[];
  put(grant: Grant): Promise<void>;
  revoke(sandbox: string): Promise<void>;
  forget(run: string): Promise<void>;
}

const rule = z.strictObject({ at: z.string(), text: z.string(), why: z.string().nullable() });

const ask = z.strictObject({
  from: z.string(),
  quorum: z.number(),
  self: z.boolean(),
  expiresMs: z.number(),
  remindMs: z.number(),
  giveUpMs: z.number(),
  escalate: z.strictObject({ afterMs: z.number(), to: z.string() }).nullable(),
  delegate: z.boolean(),
  binds: z.array(z.enum(["base", "policy"])),
  assurance: z.enum(["chat", "step_up"]),
  grants: z.strictObject({ for: z.enum(["run", "once"]), uses: z.number().nullable(), ms: z.number().nullable() }),
  rule,
});

const egressRule = z.strictObject({
  host: z.string(),
  ports: z.array(z.number().int().min(1).max(65_535)),
  mode: z.enum(["tunnel", "intercept"]),
  methods: z.array(z.string()),
  paths: z.array(z.string()),
  private: z.array(z.string()),
  maxBodyBytes: z.number().nullable(),
  secret: z.strictObject({ name: z.string(), header: z.string() }).nullable(),
  denied: z
    .array(
      z.strictObject({
        hosts: z.array(z.string()),
        except: z.array(z.string()),
        methods: z.array(z.string()),
        paths: z.array(z.string()),
        rule,
      }),
    )
    .optional(),
  rule,
});

/** The shape that is accepted over the admin socket and read back from disk. Unknown keys are refused. */
export const GrantSchema = z.strictObject({
  sandbox: z.string().regex(/^[A-Za-z0-9._:-]{1,200}$/),
  run: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/),
  epoch: z.number().int().nonnegative(),
  tokenHash: z.string().regex(/^[0-9a-f]{64}$/),
  expiresAt: z.iso.datetime(),
  egress: z.array(egressRule.extend({ until: z.iso.datetime().optional() })),
  askable: z.array(egressRule).optional(),
  models: z.array(z.string()),
  budget: z.strictObject({ usd: z.number().nonnegative(), tokens: z.number().nonnegative() }),
  registry: z.boolean(),
  secrets: z
    .array(z.strictObject({ name: z.string(), placeholderHash: z.string().regex(/^[0-9a-f]{64}$/) }))
    .optional(),
  uploadBytes: z.number().int().nonnegative().optional(),
  git: z
    .strictObject({
      repo: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
      branch: z.string().nullable(),
      base: z.string().regex(/^[0-9a-f]{40}$/),
      paths: z.array(
        z.strictObject({
          effect: z.enum(["allow", "ask", "deny"]),
          globs: z.array(z.string()),
          except: z.array(z.string()),
          from: z.string().nullable(),
          rule,
          ask: ask.optional(),
        }),
      ),
      maxBytes: z.number().int().positive(),
    })
    .nullable(),
});

const Held = z.strictObject({ grant: GrantSchema, revoked: z.boolean() });

export const tokenHash = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Reads every grant under `folder` into memory; each change is on disk before it is in force. Tokens only as hashes. */
export async function openGrants(folder: string): Promise<GrantBook> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const held = new Map<string, HeldGrant>();
  const sandboxOf = new Map<string, string>();
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".json")) continue;
    const entry = Held.parse(JSON.parse(await readFile(path.join(folder, name), "utf8")));
    remember({ revoked: entry.revoked, grant: entry.grant as Grant });
  }
  const fileOf = (sandbox: string) => path.join(folder, `${tokenHash(sandbox)}.json`);

  function remember(entry: HeldGrant): void {
    const before = held.get(entry.grant.sandbox);
    if (before) sandboxOf.delete(before.grant.tokenHash);
    held.set(entry.grant.sandbox, entry);
    sandboxOf.set(entry.grant.tokenHash, entry.grant.sandbox);
  }

  async function write(entry: HeldGrant): Promise<void> {
    await replaceFile(fileOf(entry.grant.sandbox), JSON.stringify(entry));
    remember(entry);
  }

  return {
    bySandbox: (sandbox) => held.get(sandbox) ?? null,
    byToken(token) {
      const sandbox = sandboxOf.get(tokenHash(token));
      return sandbox === undefined ? null : (held.get(sandbox) ?? null);
    },
    ofRun: (run) =>
      [...held.values()].filter((entry) => entry.grant.run === run).sort((a, b) => b.grant.epoch - a.grant.epoch),
    runs: () => [...new Set([...held.values()].map((entry) => entry.grant.run))],
    async put(grant) {
      const before = held.get(grant.sandbox);
      if (before && grant.epoch < before.grant.epoch) {
        throw new GatewayError("stale", `epoch ${before.grant.epoch} is in force for ${grant.sandbox}`);
      }
      await write({ grant, revoked: false });
    },
    async revoke(sandbox) {
      const before = held.get(sandbox);
      if (before && !before.revoked) await write({ ...before, revoked: true });
    },
    async forget(run) {
      for (const [sandbox, entry] of held) {
        if (entry.grant.run !== run) continue;
        await rm(fileOf(sandbox), { force: true });
        held.delete(sandbox);
        sandboxOf.delete(entry.grant.tokenHash);
      }
      await syncFolder(folder);
    },
  };
}
