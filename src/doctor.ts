import path from "node:path";
import { fitsSigningSecret, slackAccess, tokenKind } from "#adapters/directory/slack-access.ts";
import { isAllowed } from "#adapters/directory/slack-installations.ts";
import { openedTokens } from "#adapters/directory/slack-sealed.ts";
import { slackSocket } from "#adapters/directory/slack-socket.ts";
import { readPolicyFolder } from "#adapters/policy/folder.ts";
import { examineKeys } from "#adapters/secrets/keys.ts";
import { openSeal } from "#adapters/secrets/seal.ts";
import { type Examination, fine, note, wrong } from "#command/doctor.ts";
import { DatabaseInUse } from "#db/lock.ts";
import { lookAtWorkspaces } from "#db/look.ts";
import { reachDatabase } from "#db/reach.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { unnamedHome } from "#policy/load/warnings.ts";
import type { Policy } from "#policy/policy.ts";
import { examineIntake, examineSlack, type IntakeExamination } from "#surfaces/slack/examine.ts";
import { examineInstalled } from "#surfaces/slack/examine-installed.ts";
import { INSTALL_AT } from "#surfaces/slack/install.ts";
import { examineUnseen } from "#surfaces/slack/unseen.ts";
import { linkedAt } from "#surfaces/web/identity.ts";
import { type Config, ConfigError, parseConfig } from "./config.ts";
import { examineForge } from "./forge.ts";
import { examineLinear, type LinearApp } from "./linear.ts";
import { openSandboxes, usable } from "./parts.ts";
import { policyFolder } from "./places.ts";
import { siteOf } from "./site.ts";
import type { SlackInstalls, SlackPlace } from "./slack-place.ts";

const silent = () => {};

/** What `countersign doctor` looks at: what `serve` would, without starting or changing anything. */
export function examinationsOf(env: Readonly<Record<string, string | undefined>>, cwd: string): Examination[] {
  let config: Config;
  try {
    config = parseConfig(env, cwd);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const look = async () => [
      wrong("settings", `${cause.message}.`, "Mend that, then run doctor again: the rest needs it."),
    ];
    return [{ of: "Settings", look }];
  }
  return [
    { of: "Settings", look: async () => [fine("settings", "Every variable can be read.")] },
    { of: "Data folder", look: async () => folder(config) },
    { of: "Policy", look: async () => (await policyOf(config)).findings },
    { of: "Slack", look: async () => slack(config, config.slack) },
    { of: "Database", look: async () => database(config) },
    { of: "Sandboxes", look: async () => sandboxes(config) },
    { of: "Gateway", look: async () => gateway(config) },
    { of: "Model", look: async () => model(config) },
    { of: "Code", look: async () => code(config) },
    { of: "Tickets", look: async () => tickets(config) },
  ];
}

function folder(config: Config) {
  usable(config.dataDir);
  examineKeys(path.join(config.dataDir, "keys"));
  return [fine("data", `${config.dataDir} can be used, and its keys are readable by their owner alone.`)];
}

async function policyOf(config: Config): Promise<{ policy: Policy | null; findings: ReturnType<typeof fine>[] }> {
  const { policyRepository: of } = config;
  if (of !== null) {
    const what = `The policy lies in ${of.repo}, branch ${of.branch}, and is read when the service starts.`;
    const fix =
      "Routed channels and user groups are looked at when doctor has a checkout: COUNTERSIGN_POLICIES=/path/of/it.";
    return { policy: null, findings: [note("policy", what, fix)] };
  }
  const dir = policyFolder(config);
  let files: Map<string, string>;
  try {
    files = await readPolicyFolder(dir);
  } catch (error) {
    const what = `The policy folder ${dir} cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
    return { policy: null, findings: [wrong("policy.folder", what, "Name the folder with COUNTERSIGN_POLICIES.")] };
  }
  const site = siteOf(config, new Date());
  const loaded = loadPolicy(files, { commit: "doctor", site });
  if (loaded.ok) {
    const { policy } = loaded;
    const home = unnamedHome(policy, site);
    const unnamed = home === null ? [] : [note("policy.repository", `${home.at} ${home.what}.`, `${home.way}.`)];
    return { policy, findings: [fine("policy", `The policy in ${dir} loads.`), ...unnamed] };
  }
  return {
    policy: null,
    findings: loaded.problems.map(({ at, message }) =>
      wrong("policy.problem", `${at} ${message}`, "Mend that line: until then everything is refused."),
    ),
  };
}

async function slack(config: Config, place: SlackPlace | null) {
  if (place === null)
    return [
      note(
        "slack.local",
        "No Slack workspace: a local page that works like Slack stands in for it.",
        "For your own workspace set SLACK_BOT_TOKEN and SLACK_APP_TOKEN: docs/slack.md.",
      ),
    ];
  const unseen = examineUnseen({
    intake: place.intake.by,
    publicUrl: config.publicUrl,
    signsIn: config.signIn !== null,
    installs: place.installs !== null,
  });
  return [...(await seen(config, place)), ...unseen];
}

/** What a token of the app can see. */
async function seen(config: Config, place: SlackPlace) {
  const { botToken } = place;
  const at = place.apiUrl === null ? {} : { slackApiUrl: place.apiUrl };
  if (botToken === null)
    return [...(await examineIntake(intakeOf(config, place))), ...(await installed(config, place.installs, at))];
  const { policy } = await policyOf(config);
  return examineSlack({
    client: slackAccess({ botToken, ...at, log: silent }).reads,
    botTokenKind: tokenKind(botToken),
    intake: intakeOf(config, place),
    channels: new Map(Object.entries(policy?.routing.slack ?? {}).map(([id, { at: line }]) => [id, line])),
    usergroups: new Map(
      Object.entries(policy?.groups ?? {}).flatMap(([name, group]) =>
        "slack_usergroup" in group ? [[group.slack_usergroup, name] as const] : [],
      ),
    ),
  });
}

function intakeOf({ publicUrl }: Config, { intake, apiUrl }: SlackPlace): IntakeExamination {
  if (intake.by === "http") return { by: "http", secretFits: fitsSigningSecret(intake.signingSecret), publicUrl };
  const { appToken } = intake;
  const at = apiUrl === null ? {} : { slackApiUrl: apiUrl };
  return { by: "socket", tokenKind: tokenKind(appToken), probe: slackSocket({ appToken, ...at, log: silent }).probe };
}

/** Each workspace that installed the app. */
async function installed(config: Config, { keys, allowed }: SlackInstalls, at: { slackApiUrl?: string }) {
  const seal = openSeal(keys);
  try {
    const { orgId, workspaces } = await lookAtWorkspaces(config.database, "default");
    return await examineInstalled({
      workspaces,
      allowed,
      isAllowed: (workspace) => isAllowed(allowed, workspace),
      clientOf: (workspace) => {
        const { access } = openedTokens(seal, orgId ?? "", workspace);
        return slackAccess({ botToken: access, ...at, log: silent }).reads;
      },
      now: new Date(),
      installUrl: config.publicUrl === null ? null : `${config.publicUrl}${INSTALL_AT}`,
    });
  } catch (error) {
    if (!(error instanceof DatabaseInUse)) throw error;
    return [note("slack.workspaces", error.message, "Stop the service to have doctor look at each workspace.")];
  }
}

async function database(config: Config) {
  const { kind, place } = await reachDatabase(config.database);
  return kind === "pglite"
    ? [fine("database", `The embedded database, in ${place}. One process at a time may have it open.`)]
    : [fine("database", `${place} lets us in.`)];
}

async function sandboxes(config: Config) {
  const provider = await openSandboxes(
    config,
    () => Promise.reject(new Error("doctor makes no sandbox")),
    () => "doctor",
  );
  await provider[Symbol.asyncDispose]?.();
  return [
    fine("sandboxes", config.daytona === null ? "Sandboxes are made on this machine." : "Daytona takes our key."),
  ];
}

async function gateway({ daytona, publicDoor }: Config) {
  if (publicDoor !== null) return [fine("gateway", `Hosted sandboxes reach the gateway at ${publicDoor.url}.`)];
  return daytona === null
    ? [fine("gateway", "The gateway is for sandboxes of this machine alone.")]
    : [
        wrong(
          "gateway.url",
          "Sandboxes are made at Daytona, and nothing says where they reach the gateway.",
          "Set COUNTERSIGN_GATEWAY_URL to an https:// address that leads to COUNTERSIGN_GATEWAY_LISTEN: docs/daytona.md.",
        ),
      ];
}

async function model({ agent, model: name, models }: Config) {
  if (agent === "demo")
    return [
      note(
        "model",
        "No model: the demo agent follows a script.",
        "Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a real one.",
      ),
    ];
  const at = models.openai.baseUrl ?? models.anthropic.baseUrl ?? "";
  return [
    fine(
      "model",
      `OpenCode with ${name}, asked of ${at === "" ? "no API" : new URL(at).host}. Its key is tried with the first run.`,
    ),
  ];
}

async function code(config: Config) {
  const said: string[] = [];
  const app = await examineForge(config, { repos: [], say: (message) => said.push(message) });
  if (app === null) return [fine("code", "Repositories are on the git host of this machine.")];
  const notes = said.map((what) => note("code.github", `${what}.`, "docs/github.md says what the App needs."));
  return [fine("code", `GitHub knows App ${app.appId}.`), ...notes];
}

async function tickets(config: Config) {
  const said: { what: string; lacks: unknown }[] = [];
  const app = await examineLinear(config, (what, fields) => said.push({ what, lacks: fields?.lacks }));
  if (app === null) return [note("tickets", "No tickets: Linear is not set up.", "docs/linear.md says how.")];
  const lacking = said.map(({ what, lacks }) =>
    wrong(
      "tickets.scopes",
      `${what[0]?.toUpperCase()}${what.slice(1)}: ${String(lacks)}.`,
      "In Linear, open the app under Settings, API: docs/linear.md names its scopes.",
    ),
  );
  const unrouted = await unroutedTickets(config);
  const ours = fine("tickets.linear", `Linear takes our app, in ${app.organization.name}.`);
  return [ours, ...lacking, ...unrouted, linksOf(config, app)];
}

/** How people show whose account of Linear is whose, and what no token of the app can see of that. */
const linksOf = ({ publicUrl }: Config, { oauth }: LinearApp) =>
  oauth === null
    ? note(
        "tickets.link",
        "People link their account of Linear with a code that they write on a ticket.",
        "With LINEAR_CLIENT_ID, LINEAR_CLIENT_SECRET and an https:// PUBLIC_URL they sign in at Linear: docs/identity.md.",
      )
    : note(
        "tickets.link",
        "People link their account by signing in at Linear, which tells nobody the callback URLs of an app.",
        `In Linear, open the app under Settings, API, and see that ${publicUrl}${linkedAt("linear")} is one of them: without it nobody can link an account.`,
      );

/** Whether any team's tickets lead anywhere. */
async function unroutedTickets(config: Config) {
  const { policy } = await policyOf(config);
  return policy === null || Object.keys(policy.routing.linear).length > 0
    ? []
    : [
        wrong(
          "tickets.routing",
          "The policy routes no team of Linear, so that no ticket becomes a run.",
          "Add routing.linear to org.yaml, such as linear: { SHOP: shop }.",
        ),
      ];
}
