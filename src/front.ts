import { Hono } from "hono";
import { parse } from "hono/utils/cookie";
import { githubPeople } from "#adapters/directory/github.ts";
import { idpFile } from "#adapters/directory/idp.ts";
import { joinedDirectory } from "#adapters/directory/joined.ts";
import { slackAccess, slackHmac } from "#adapters/directory/slack-access.ts";
import { githubVerifier } from "#adapters/repo-host/github/verifier.ts";
import type { Keys } from "#adapters/secrets/keys.ts";
import { playgroundSeed, repositoryChannel } from "#playground/seed.ts";
import { localGate } from "#playground/slack/guard.ts";
import { PATHS, PERSON_COOKIE } from "#playground/slack/paths.ts";
import { startPlayground } from "#playground/slack/playground.ts";
import type { Chat, Place } from "#ports/chat.ts";
import type { Directory, ExternalId } from "#ports/directory.ts";
import type { Secret } from "#ports/secret.ts";
import { ofAccounts } from "#runs/account/link.ts";
import type { Core } from "#runs/core.ts";
import type { Answered } from "#runs/quick-yes.ts";
import { tellStep } from "#runs/record/tell.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import { choose } from "#runs/request/choose.ts";
import { hear } from "#runs/request/hear.ts";
import { home, teamPolicy } from "#runs/request/home.ts";
import { barred, foresee } from "#runs/request/standing.ts";
import { stop, stopNumbered } from "#runs/request/stop.ts";
import { vote } from "#runs/request/vote.ts";
import { pullRequestChanged } from "#runs/result/review.ts";
import type { View } from "#runs/view.ts";
import { type GithubWebhooks, githubWebhooks } from "#surfaces/github/webhooks.ts";
import { slackSurface } from "#surfaces/slack/app.ts";
import { channelFacts } from "#surfaces/slack/channel-facts.ts";
import { keepAlive } from "#surfaces/slack/keep-alive.ts";
import { AT_WORK } from "#surfaces/slack/sessions.ts";
import { ownName, startGate } from "#surfaces/web/gate.ts";
import { askedAt } from "./asked-at.ts";
import { codeRoutes } from "./code-pages.ts";
import type { Config } from "./config.ts";
import type { Forge } from "./forge.ts";
import { type LinearApp, openLinear } from "./linear.ts";
import { githubLinks, linearLinks } from "./links.ts";
import { loop } from "./loops.ts";
import type { Workspace } from "./parts.ts";
import { runRoutes } from "./run-pages.ts";
import { installedTenants, oneTenant, type Tenants } from "./tenants.ts";
import { welcomeOf } from "./welcome.ts";

/** The side that people see: chat, pages, and the local stand-ins for both when there is no real Slack. */
export interface Front {
  readonly chat: Chat<View>;
  readonly directory: Directory;
  /** The workspace that the policy's owners are in. */
  readonly workspace: string;
  /** The account behind a person of the local git host's pages; `null`: nobody that the directory knows. */
  readonly accountOf: (person: string) => ExternalId | null;
  /** The account behind a GitHub account's number; `null`: nobody vouches for one. */
  readonly accountOfGithub: (id: number) => Promise<ExternalId | null>;
  readonly pages: Hono;
  readonly welcome: string;
  /** Tokens of workspaces that came to be known since the start. */
  secrets(): readonly Secret[];
  /** Starts what talks to us; called when we listen. */
  begin(): void;
  /** What a crash left is taken up, and threads whose run goes on are told so. Call it every few seconds. */
  redrive(): Promise<void>;
  /** Finds workspaces that left us unnoticed. `null`: there is one, which its operator has set up. */
  readonly reconcile: (() => Promise<void>) | null;
  close(): Promise<void>;
}

/** Where repositories of `--repo` are asked about; `policies/org.yaml` maps it to the team "yours". */
const OWN_CHANNEL = "C0YOURS";
/** Beside a real workspace where nobody signs in the start link is the operator's: whoever has it may merge on the local git host. */
const OPERATOR = { id: "operator", name: "Operator (start link)" };

const RUNS_MOST = 1_000;

/** Builds the Slack surface over real Slack or over the local page: the same code, another address. */
export async function openFront(o: {
  config: Config;
  core: Core;
  keys: Keys;
  forge: Forge;
  /** `null`: no tickets. */
  linear: LinearApp | null;
  /** Repositories of `--repo`. */
  own: readonly string[];
  web: boolean;
  /** `null`: the local page stands in for it. */
  workspace: Workspace | null;
  /** What people answered since a time. */
  answers: (since: Date) => Promise<readonly Answered[]>;
}): Promise<Front> {
  const { config, core, keys } = o;
  const token = keys.text("start");
  const local = o.workspace === null;
  const [signingSecret, botToken] = [keys.text("slack-signing"), keys.text("slack-bot")];
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

  const gate = local ? localGate(token.reveal(), "page") : startGate({ token: token.reveal(), baseUrl: core.baseUrl });
  const { hmac, socket } = o.workspace ?? { hmac: slackHmac(signingSecret), socket: null };
  const tenants = await tenantsOf();
  function tenantsOf(): Tenants | Promise<Tenants> {
    if (o.workspace?.one) return oneTenant({ core, ...o.workspace.one });
    const slack = config.slack;
    if (slack?.installs) return installedTenants({ core, gate, ...slack });
    const slackApiUrl = `${core.baseUrl}${PATHS.webApi}`;
    return oneTenant({
      core,
      access: slackAccess({ botToken, slackApiUrl, log: core.log }),
      identity: { workspace: world.team.id, botUserId: world.app.botUser, botId: world.app.botId, url: "" },
    });
  }
  const { githubToken, idpFile: exported } = config.people;
  const idp = exported === null ? null : idpFile({ file: exported });
  const directory = joinedDirectory({
    workspace: tenants.directory,
    github: githubToken === null ? null : githubPeople({ api: config.githubApiUrl, token: githubToken }),
    idp,
  });
  const now = () => core.clock.now();
  const { chat, home: workspace } = tenants;
  const surface = slackSurface({
    workspaces: tenants,
    hmac,
    left: tenants.left,
    verbs: {
      foresee: (place) => foresee(core, place),
      hear: (heard) => hear(core, heard),
      vote: (cast) => vote(core, cast),
      askAgain: (ask) => askAgain(core, ask),
      stop: (which) => stop(core, which),
      choose: (choice) => choose(core, choice),
      barred: (where) => barred(core, where),
      home: (account) => home(core, account),
      teamPolicy: (of) => teamPolicy(core, of),
      stopNumbered: (which) => stopNumbered(core, which),
      accounts: ({ account, what, place }) => ofAccounts(core, { account, shared: false }, what, place),
    },
    inbox: core.stores.inbox,
    now,
    log: core.log,
  });

  const alive = keepAlive({
    atWork: () => core.stores.runs.inStates(core.orgId, AT_WORK, RUNS_MOST),
    again: (run, place) => core.store.tx((tx) => tellStep(core, tx, { ...run, place, mirror: null }, "status")),
    now,
  });

  const pages = new Hono();
  pages.get("/health", (c) => c.json({ ok: true }));
  pages.route("/", surface.routes);
  if (tenants.routes !== null) pages.route("/", tenants.routes);
  const { signIn } = config;
  const elsewhere = {
    askedAt: askedAt({ of: tenants.of, now, log: core.log }),
    repositoryUrl: o.forge.repositoryUrl,
  };
  const admits = async (id: string) => (await tenants.of(id))?.identity.workspace === id;
  const whose = { admits, workspace: tenants.routes === null ? workspace : null };
  pages.route("/", runRoutes({ core, answers: o.answers, elsewhere, gate, signIn, directory, ...whose }));
  const { local: localHost, github } = o.forge;
  if (localHost !== null) {
    const people = world.users
      .filter((one) => !one.isBot && !one.isGuest)
      .map((one) => ({ id: one.id, name: one.realName }));
    const chosen = (request: Request) => {
      const id = parse(request.headers.get("cookie") ?? "", PERSON_COOKIE)[PERSON_COOKIE];
      return (playground && people.find((one) => one.id === id)) ?? null;
    };
    const at = local ? { people, viewer: chosen } : { people: [OPERATOR], viewer: () => OPERATOR };
    pages.route("/", codeRoutes({ core, host: localHost, gate, directory, signIn: signIn !== null, at }));
  }
  const linkSide = { core, directory, signIn: signIn !== null, chat };
  const links = await githubLinks({ ...linkSide, github });
  const webhooks: GithubWebhooks | null =
    github === null || github.webhookSecret === null
      ? null
      : githubWebhooks({
          verify: await githubVerifier(github.webhookSecret),
          appId: github.appId,
          inbox: core.stores.inbox,
          changed: (change) => pullRequestChanged(core, change),
          ...(links.wrote === null ? {} : { wrote: links.wrote }),
          log: core.log,
        });
  if (webhooks !== null) pages.route("/", webhooks.routes);
  const answering = o.linear === null ? null : await tenants.of(workspace);
  const linear =
    o.linear === null || answering === null
      ? null
      : await openLinear({
          app: o.linear,
          core,
          workspace: { id: workspace, url: answering.identity.url, botUserId: answering.identity.botUserId },
          directory,
          idp,
          channelOf: channelFacts(answering.reads, now, core.log),
        });
  if (linear !== null) pages.route("/", linear.routes);
  const linearPages =
    o.linear === null || linear === null ? null : await linearLinks({ ...linkSide, linear: o.linear, side: linear });
  const identity = [links.routes, linearPages].filter((one) => one !== null);
  if (identity.length > 0) pages.use("/identity/*", ownName(core.baseUrl));
  for (const one of identity) pages.route("/", one);
  if (playground) pages.route("/", playground.app);
  else if (signIn === null) pages.get("/", ...gate, (c) => c.redirect("/runs"));
  else pages.get("/", ownName(core.baseUrl), (c) => c.redirect("/runs"));

  let unplug: (() => Promise<void>) | null = null;
  return {
    chat: linear === null ? chat : chats({ slack: chat, linear: linear.chat }),
    directory,
    workspace,
    accountOf: (id) =>
      local && world.users.some((one) => one.id === id && !one.isBot && !one.isGuest)
        ? { provider: "slack", workspace, id }
        : null,
    accountOfGithub: async (id) => (await idp?.ofGithub([id], workspace))?.[0] ?? null,
    pages,
    welcome: welcomeOf(config, core.baseUrl, token.reveal(), o.own, o),
    secrets: tenants.secrets,
    reconcile: tenants.reconcile,
    begin() {
      playground?.begin();
      if (socket !== null) unplug = loop(core.log, "Slack's socket", (signal) => socket.hold(surface.take, signal));
    },
    redrive: async () => {
      await Promise.all([surface.redrive(), webhooks?.redrive(), linear?.redrive(), alive()]);
    },
    close: async () => {
      playground?.stop();
      await unplug?.();
      await Promise.all([surface.drain(), webhooks?.drain(), linear?.drain()]);
      await tenants.settled();
    },
  };
}

/** Each place in its own chat. */
function chats(of: Readonly<Record<string, Chat<View>>>): Chat<View> {
  const at = ({ provider }: Place): Chat<View> => {
    const chat = Object.hasOwn(of, provider) ? of[provider] : undefined;
    if (chat === undefined) throw new Error(`there is no chat for ${provider}`);
    return chat;
  };
  return {
    show: (key, place, view, shown, turn) => at(place).show(key, place, view, shown, turn),
    whisper: (place, to, view) => at(place).whisper(place, to, view),
  };
}
