import { Hono } from "hono";
import { parse } from "hono/utils/cookie";
import { slackDirectory } from "#adapters/directory/slack.ts";
import { slackAccess, slackIdentity } from "#adapters/directory/slack-access.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localHostPages } from "#adapters/repo-host/local/pages.ts";
import type { Keys } from "#adapters/secrets/keys.ts";
import { playgroundSeed, repositoryChannel } from "#playground/seed.ts";
import { localGate } from "#playground/slack/guard.ts";
import { PATHS, PERSON_COOKIE } from "#playground/slack/paths.ts";
import { startPlayground } from "#playground/slack/playground.ts";
import type { Chat } from "#ports/chat.ts";
import type { Directory } from "#ports/directory.ts";
import { askAgain } from "#runs/ask-again.ts";
import { authorsOfPull } from "#runs/authors.ts";
import type { Core } from "#runs/core.ts";
import { hear } from "#runs/hear.ts";
import { eventsOf } from "#runs/look.ts";
import { foresee } from "#runs/request.ts";
import type { Run } from "#runs/run.ts";
import { stop } from "#runs/stop.ts";
import type { View } from "#runs/view.ts";
import { vote } from "#runs/vote.ts";
import { slackSurface } from "#surfaces/slack/app.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import { runLine, runPage } from "#surfaces/web/fold.ts";
import { pageLook } from "#surfaces/web/look.ts";
import { webPages } from "#surfaces/web/pages.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";
import type { Config } from "./config.ts";

/** The side that people see: chat, pages, and the local stand-ins for both when there is no real Slack. */
export interface Front {
  readonly chat: Chat<View>;
  readonly directory: Directory;
  readonly pages: Hono;
  readonly welcome: string;
  /** Starts what talks to us; called when we listen. */
  begin(): void;
  redrive(): Promise<void>;
  close(): Promise<void>;
}

/** Where repositories of `--repo` are asked about; `policies/org.yaml` maps it to the team "yours". */
const OWN_CHANNEL = "C0YOURS";
const LISTED = 100;

/** Builds the Slack surface over real Slack or over the local page: the same code, another address. */
export async function openFront(o: {
  config: Config;
  core: Core;
  keys: Keys;
  repoHost: LocalRepoHost;
  /** Repositories of `--repo`. */
  own: readonly string[];
  web: boolean;
}): Promise<Front> {
  const { config, core, keys } = o;
  const token = keys.text("start");
  const local = config.slack === null;
  const signingSecret = config.slack?.signingSecret ?? keys.text("slack-signing");
  const botToken = config.slack?.botToken ?? keys.text("slack-bot");
  const world = playgroundSeed(
    o.own.length === 0
      ? []
      : [repositoryChannel({ id: OWN_CHANNEL, name: "yours", topic: `Your repositories: ${o.own.join(", ")}.` })],
  );
  const playground =
    local && o.web
      ? startPlayground({
          dataDir: `${config.dataDir}/playground`,
          token: token.reveal(),
          signingSecret: signingSecret.reveal(),
          botToken: botToken.reveal(),
          eventsUrl: `${core.baseUrl}/slack/events`,
          interactivityUrl: `${core.baseUrl}/slack/interactivity`,
          seed: world,
          realCredentials: config.realCredentials,
          ...(config.agent === "demo" ? { banner: "demo: scripted model" } : {}),
        })
      : null;

  const { urgent, progress, hmac } = slackAccess({
    botToken,
    signingSecret,
    ...(local ? { slackApiUrl: `${core.baseUrl}${PATHS.webApi}` } : {}),
    log: core.log,
  });
  const identity = local
    ? { workspace: world.team.id, botUserId: world.app.botUser, botId: world.app.botId }
    : await slackIdentity(urgent);
  const directory = slackDirectory({ client: urgent, workspace: identity.workspace });
  const now = () => core.clock.now();
  const surface = slackSurface({
    urgent,
    hmac,
    identity,
    verbs: {
      foresee: (place) => foresee(core, place),
      hear: (heard) => hear(core, heard),
      vote: (cast) => vote(core, cast),
      askAgain: (ask) => askAgain(core, ask),
      stop: (which) => stop(core, which),
    },
    inbox: core.stores.inbox,
    directory,
    now,
    log: core.log,
  });

  const gate = localGate(token.reveal(), "page");
  const pages = new Hono();
  pages.get("/health", (c) => c.json({ ok: true }));
  pages.route("/", surface.routes);
  pages.use("/runs", ...gate);
  pages.use("/runs/*", ...gate);
  pages.route(
    "/",
    webPages({
      load: (runId) => loadPage(core, runId),
      async list() {
        const runs = await core.stores.runs.recent(core.orgId, LISTED);
        const spent = await core.stores.events.spent(runs.map((run) => run.id));
        return runs.map((run) => runLine(run, spent.get(run.id)));
      },
      watch: (runId, signal) => watchPage(core, runId, signal),
      receipt: (runId) => core.stores.receipts.get(runId),
      patch: (runId) => unpublished(core, runId),
      // The gate above has asked for the start token; nobody comes here without it.
      mayView: () => true,
      signIn: null,
    }),
  );
  pages.use("/code/*", ...gate);
  pages.route(
    "/code",
    localHostPages(o.repoHost, {
      look: pageLook,
      people: world.users
        .filter((one) => !one.isBot && !one.isGuest)
        .map((one) => ({ id: one.id, name: one.realName })),
      authors: (repo, number) => authorsOfPull(core, repo, number),
      mayView: () => true,
      viewer: (request) => {
        const id = parse(request.headers.get("cookie") ?? "", PERSON_COOKIE)[PERSON_COOKIE];
        const user = playground ? world.users.find((one) => one.id === id && !one.isBot && !one.isGuest) : undefined;
        return user ? { id: user.id, name: user.realName } : null;
      },
    }),
  );
  if (playground) pages.route("/", playground.app);
  else pages.get("/", ...gate, (c) => c.redirect("/runs"));

  return {
    chat: slackChat({ urgent, progress, botId: identity.botId, now, log: core.log }),
    directory,
    pages,
    welcome: welcomeOf(config, core.baseUrl, token.reveal(), o.own, local),
    begin: () => playground?.begin(),
    redrive: async () => {
      await surface.redrive();
    },
    close: async () => {
      playground?.stop();
      await surface.drain();
    },
  };
}

function welcomeOf(config: Config, baseUrl: string, token: string, own: readonly string[], local: boolean): string {
  const agent =
    config.agent === "demo"
      ? "demo: scripted model (set OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY for a real one)"
      : `OpenCode with ${config.model}`;
  return [
    "",
    `  Countersign is ready: open ${baseUrl}/?token=${token}`,
    "",
    `  agent     ${agent}`,
    `  chat      ${local ? "a local page that works like Slack" : "your Slack workspace"}`,
    ...(own.length > 0 ? [`  yours     ${own.join(", ")}: ask in #yours`] : []),
    `  data      ${config.dataDir}`,
    "  stop      Ctrl-C; runs go on where they were at the next start",
    "",
  ].join("\n");
}

// Larger than this nobody applies by hand; a patch that is cut would not apply at all.
const PATCH_BYTES = 5_000_000;

/** What a run committed and did not publish, while the gateway keeps it. */
async function unpublished(core: Core, runId: string): Promise<string | null> {
  const run = await core.stores.runs.get(runId);
  if (run === null || run.baseOid === null || run.headOid === null) return null;
  const { patch, truncated } = await core.gateway.changes(run.id, run.baseOid, run.headOid, PATCH_BYTES);
  return truncated ? null : patch;
}

async function loadPage(core: Core, runId: string): Promise<RunPage | null> {
  const run = await core.stores.runs.get(runId);
  return run ? pageOf(core, run) : null;
}

async function pageOf(core: Core, run: Run): Promise<RunPage> {
  return runPage(run, await eventsOf(core, run.id), {
    agentTitle: core.agents.get(run.agent)?.profile.title ?? run.agent,
    place: {
      name: `#${run.team}`,
      href: `${PATHS.archives}/${run.place.channel}/p${run.place.thread.replace(".", "")}`,
    },
    repoHref: `/code/${run.repo}`,
    now: core.clock.now(),
  });
}

/** The page now and after each change of its run; several changes at once are one page. */
async function* watchPage(core: Core, runId: string, signal: AbortSignal): AsyncIterable<RunPage> {
  const changes = core.stores.events.changes(signal);
  const first = await loadPage(core, runId);
  if (!first) return;
  yield first;
  for await (const changed of changes) {
    if (changed !== runId) continue;
    const page = await loadPage(core, runId);
    if (!page) return;
    yield page;
  }
}
