import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { acpAgents } from "#adapters/agent/acp.ts";
import { demo, opencode } from "#adapters/agent/profiles.ts";
import { examineKeys, openKeys } from "#adapters/secrets/keys.ts";
import { recordedAnswers } from "#db/answers.ts";
import { recordedDecisions } from "#db/decisions.ts";
import { pgBossEngine } from "#db/engine.ts";
import { bindInstallation, OtherInstallation } from "#db/installation.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import { gatewayClient } from "#gateway/client.ts";
import { seedRepositories } from "#playground/repos/seed.ts";
import { systemClock } from "#ports/clock.ts";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import type { InHand } from "#runs/in-hand.ts";
import { deliver, showInHand } from "#runs/life/deliver.ts";
import { retain } from "#runs/life/retain.ts";
import { sweep, sweepSandboxes } from "#runs/life/sweep.ts";
import { handlers } from "#runs/life/tick.ts";
import { keyIdOf } from "#runs/receipt.ts";
import { followedRedactor } from "#runs/redact.ts";
import { pullRequestChanged } from "#runs/result/review.ts";
import { ingest } from "#runs/sandbox/audit.ts";
import { apiOf, type Config, hostInUrl } from "./config.ts";
import { decisionRoutes, keptPolicies, lookRoutes } from "./decisions.ts";
import { examineForge, openForge } from "./forge.ts";
import { type Front, openFront } from "./front.ts";
import { gatewaySign, openHealth, webSign, workerSign } from "./health.ts";
import { examineLinear } from "./linear.ts";
import { linkableOf } from "./links.ts";
import { configuredSecrets, knownAs, openLog } from "./log.ts";
import { loop, underWay, waker } from "./loops.ts";
import { unlinkRoutes } from "./operator-links.ts";
import {
  bind,
  imageFolders,
  importAll,
  localPage,
  makeFolder,
  openDb,
  openGateway,
  openWorkspace,
  type Site,
  StartError,
  usable,
} from "./parts.ts";
import { gatewaySockets, serviceFile } from "./places.ts";
import { openPolicyFeed, policyInForce } from "./policy-source.ts";
import { openSandboxes } from "./sandboxes.ts";
import { keptSecrets, siteOf } from "./site.ts";

/** "gateway": it ends when we do. Whoever has another role keeps one alive; without this role it is left to the others. */
export const ROLES = ["web", "worker", "gateway"] as const;
export type Role = (typeof ROLES)[number];

export interface House extends AsyncDisposable {
  /** What the person who started us reads. */
  readonly welcome: string;
}

const DRAIN_MS = 10_000;
/** How soon the value of a secret that was changed is kept out of the record. */
const SECRETS_MS = 5_000;
/** What another process left is to be seen soon: `deliveries` counts on it. */
const INBOX_MS = 2_000;
/** How soon a workspace that left without a word is found. */
const WORKSPACES_MS = 10 * 60_000;
/** How long a step waits for a gateway that is being started again, before the step itself is tried again. */
const GATEWAY_PATIENCE_MS = 20_000;

/**
 * The parts list: opens everything in order, each with how it is closed; on a failure what was opened is closed again.
 * Throws `StartError` with one clear line, or what is a bug.
 */
export async function openHouse(
  config: Config,
  o: { roles: ReadonlySet<Role>; repos: readonly string[] },
): Promise<House> {
  await using opening = new AsyncDisposableStack();
  const without = (known: () => readonly Secret[]) =>
    followedRedactor(() => knownAs(known()), { everyMs: SECRETS_MS, now: Date.now });
  /** More is known as the parts are opened. */
  let redact = without(() => configuredSecrets(config, null));
  const say = openLog({ level: config.logLevel, redact: (text) => redact(text) });

  const keyFolder = path.join(config.dataDir, "keys");
  usable(config.dataDir);
  examineKeys(keyFolder);
  const { healthPort } = config;
  const health =
    healthPort === null ? null : opening.adopt(await openHealth(healthPort), (listening) => listening.close());
  const site: Site = {
    fetch: () => new Response("Countersign is starting.\n", { status: 503, headers: { "retry-after": "1" } }),
  };
  const port = o.roles.has("web")
    ? opening.adopt(await bind(site, config), (bound) => bound.close()).port
    : config.port;
  const here = `http://${hostInUrl(config.host)}:${port}`;
  const baseUrl = config.publicUrl ?? here;
  const inFolder =
    config.policyRepository === null
      ? opening.adopt(await openPolicyFeed(config, null, say), (feed) => feed.close())
      : null;
  const workspace = await openWorkspace(config, say);
  const github = await examineForge(config, { repos: o.repos, say });
  const linear = await examineLinear(config, say);
  const images = imageFolders(config);
  const linkable = await linkableOf({ github, linear, baseUrl });
  const installation = () => keyIdOf(keys.receipts.publicKey);
  const sandboxes = await openSandboxes(config, { imageFolder: images, installation, say });
  opening.defer(async () => await sandboxes[Symbol.asyncDispose]?.());
  // Up to here nothing was made: what a person has to mend leaves nothing behind.
  makeFolder(config.dataDir);
  const database = opening.adopt(await openDb(config, say), (open) => open.close());
  if (o.roles.has("web") && config.slack === null) opening.defer(localPage(config.dataDir));
  const secrets = keptSecrets(config);
  const keys = openKeys(keyFolder);
  const orgId = await ensureOrg(database.db, "default");
  await bindInstallation(database.db, orgId, keyIdOf(keys.receipts.publicKey)).catch((cause: unknown) => {
    if (!(cause instanceof OtherInstallation)) throw cause;
    throw new StartError(cause.message, { cause });
  });

  const sockets = gatewaySockets(config.dataDir);
  const gateway = gatewayClient({ ...sockets, patienceMs: GATEWAY_PATIENCE_MS });
  opening.adopt(await openGateway(config, gateway, say), (kept) => kept.stop({ end: o.roles.has("gateway") }));

  const outbox = waker();
  const inHand = underWay();
  opening.defer(inHand.over);
  const engine = await pgBossEngine({ database, orgId });
  const forge = opening.adopt(
    await openForge({
      dataDir: config.dataDir,
      baseUrl,
      github,
      clock: systemClock,
      changed: (what) => pullRequestChanged(core, what),
      say,
    }),
    (opened) => opened.close(),
  );

  /** As soon as there is one. */
  let shown: Front | null = null;
  redact = without(() => [
    ...configuredSecrets(config, github),
    ...(shown?.secrets() ?? []),
    keys.text("start"),
    ...secrets.all(),
  ]);
  /** From a repository: that may be one of ours, so it comes after them. Nothing asks before. */
  let feed = inFolder;
  const core: Core = {
    orgId,
    baseUrl,
    clock: systemClock,
    store: store(database.db),
    stores: stores(database, { orgId }),
    engine,
    directory: {
      account: (id) => front.directory.account(id),
      members: (group, workspace) => front.directory.members(group, workspace),
      channelMembers: (channel) => front.directory.channelMembers(channel),
    },
    policy: policyInForce(() => feed?.watch ?? null, siteOf(config, new Date())),
    gateway,
    sandboxes,
    agents: new Map(
      [demo, opencode((model) => apiOf(config.models, model))].map((profile) => [profile.id, acpAgents({ profile })]),
    ),
    defaultAgent: { id: config.agent, model: config.model },
    repoHost: forge.host,
    signer: { keyId: keyIdOf(keys.receipts.publicKey), publicKey: keys.receipts.publicKey, sign: keys.receipts.sign },
    tokenFor: keys.tokenFor,
    linkable,
    ...(linkable.length === 0 ? {} : { linkMac: keys.macOf("links") }),
    pythonIndex: config.pypi.index,
    goProxy: config.goProxy,
    redact,
    nudge: outbox.wake,
    ...(o.roles.has("web") ? { hand: (message: InHand) => inHand.add(showInHand(core, front.chat, message)) } : {}),
    log: say,
  };

  const seeded = o.roles.has("web") && config.policyDir === null && config.policyRepository === null;
  if (seeded && forge.local !== null) await seedRepositories(forge.local);
  const own = forge.local === null ? [] : await importAll(forge.local, o.repos);
  feed ??= opening.adopt(await openPolicyFeed(config, forge, say), (opened) => opened.close());
  const answers = (since: Date) => recordedAnswers(database.db, orgId, since);
  const web = o.roles.has("web");
  const front: Front = await openFront({ config, core, keys, forge, linear, own, web, workspace, answers });
  shown = front;
  opening.defer(() => front.close());
  const policy = feed;
  await policy.begin({
    core,
    workspace: front.workspace,
    accountOf: front.accountOf,
    accountOfGithub: front.accountOfGithub,
  });

  if (o.roles.has("worker")) {
    images(config.agent).then(
      () => say("the agent is installed", { agent: config.agent }),
      (error: unknown) =>
        say("the agent could not be installed yet; the first run tries again", { error: String(error) }),
    );
    await engine.work(handlers(core));
    await engine.schedule("sweep", 2_000, () => sweep(core));
    await engine.schedule("sandboxes", 60_000, () => sweepSandboxes(core));
    await engine.schedule("retention", 60 * 60_000, () => retain(core));
    const { reconcile } = front;
    if (reconcile !== null) {
      const look = () =>
        reconcile().catch((error) => say("workspaces could not be looked at", { error: String(error) }));
      await engine.schedule("workspaces", WORKSPACES_MS, look);
      // Now too, each process for itself: it is the start that brings another list.
      inHand.add(look());
    }
    opening.defer(loop(say, "the gateway's audit", (signal) => ingest(core, signal)));
  }
  opening.defer(() => engine.drain(DRAIN_MS));
  if (o.roles.has("web")) {
    front.pages.route(
      "/",
      decisionRoutes({
        token: keys.text("start").reveal(),
        recorded: (of) => recordedDecisions(database.db, orgId, of),
        kept: (digests) => keptPolicies(core.stores.policies, digests),
      }),
    );
    front.pages.route("/", unlinkRoutes({ token: keys.text("start").reveal(), core }));
    const { policyWebhook } = config;
    if (policyWebhook !== null)
      front.pages.route(
        "/",
        lookRoutes(policyWebhook, () => policy.watch.reload(), say),
      );
    site.fetch = front.pages.fetch;
    const service = serviceFile(config.dataDir);
    writeFileSync(service, JSON.stringify({ url: here }), { mode: 0o600 });
    opening.defer(() => rmSync(service, { force: true }));
    await forge.local?.start();
    opening.defer(loop(say, "the outbox", (signal) => deliver(core, front.chat, outbox.wait, signal)));
    opening.defer(
      loop(say, "the inbox", async (signal) => {
        while (!signal.aborted) {
          await front.redrive();
          await pause(INBOX_MS, undefined, { signal });
        }
      }),
    );
    // Another worker's wishes for the outbox reach us as the database's notifications.
    opening.defer(
      loop(say, "the outbox's bell", async (signal) => {
        for await (const _ of core.stores.events.changes(signal)) outbox.wake();
      }),
    );
    front.begin();
  }
  health?.watch([
    ...(o.roles.has("web") ? [webSign(here)] : []),
    ...(o.roles.has("worker") ? [workerSign(engine)] : []),
    ...(o.roles.has("gateway") ? [gatewaySign(gateway)] : []),
  ]);
  const parts = opening.move();
  return { welcome: front.welcome, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}
