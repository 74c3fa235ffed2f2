import { fitsSigningSecret, slackAccess, tokenKind } from "#adapters/directory/slack-access.ts";
import { isAllowed } from "#adapters/directory/slack-installations.ts";
import { openedTokens } from "#adapters/directory/slack-sealed.ts";
import { slackSocket } from "#adapters/directory/slack-socket.ts";
import { openSeal } from "#adapters/secrets/seal.ts";
import { type Finding, note } from "#command/doctor.ts";
import { DatabaseInUse } from "#db/lock.ts";
import { lookAtWorkspaces } from "#db/look.ts";
import type { Secret } from "#ports/secret.ts";
import { examineIntake, examineSlack, type IntakeExamination } from "#surfaces/slack/examine.ts";
import { examineInstalled } from "#surfaces/slack/examine-installed.ts";
import { INSTALL_AT } from "#surfaces/slack/install.ts";
import { examineUnseen } from "#surfaces/slack/unseen.ts";
import type { Config } from "./config.ts";
import { examinePolicy } from "./doctor-policy.ts";
import type { SlackInstalls, SlackPlace } from "./slack-place.ts";

const silent = () => {};

/** The app as Slack has it: tokens, scopes, events, settings, channels, groups. */
export async function examineChat(config: Config): Promise<readonly Finding[]> {
  const { slack: place } = config;
  if (place === null)
    return [
      note(
        "slack.local",
        "No Slack workspace: a local page that works like Slack stands in for it.",
        "For your own workspace set SLACK_BOT_TOKEN and SLACK_APP_TOKEN: docs/slack.md.",
      ),
    ];
  const { botToken, configToken, appId } = place;
  const reads = (token: Secret) => slackAccess({ botToken: token, ...addressOf(place), log: silent }).reads;
  const unseen = await examineUnseen({
    intake: place.intake.by,
    publicUrl: config.publicUrl,
    signsIn: config.signIn !== null,
    installs: place.installs !== null,
    appId,
    bot: botToken === null ? null : reads(botToken),
    owner: configToken === null ? null : { client: reads(configToken), tokenKind: tokenKind(configToken) },
  });
  return [...(await seen(config, place)), ...unseen];
}

const addressOf = ({ apiUrl }: SlackPlace) => (apiUrl === null ? {} : { slackApiUrl: apiUrl });

/** What a token of the app can see. */
async function seen(config: Config, place: SlackPlace): Promise<readonly Finding[]> {
  const { botToken } = place;
  if (botToken === null)
    return [...(await examineIntake(intakeOf(config, place))), ...(await installed(config, place.installs, place))];
  const { policy } = await examinePolicy(config);
  return examineSlack({
    client: slackAccess({ botToken, ...addressOf(place), log: silent }).reads,
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

function intakeOf({ publicUrl }: Config, place: SlackPlace): IntakeExamination {
  const { intake } = place;
  if (intake.by === "http") return { by: "http", secretFits: fitsSigningSecret(intake.signingSecret), publicUrl };
  const { appToken } = intake;
  const { probe } = slackSocket({ appToken, ...addressOf(place), log: silent });
  return { by: "socket", tokenKind: tokenKind(appToken), probe };
}

/** Each workspace that installed the app. */
async function installed(
  config: Config,
  { keys, allowed }: SlackInstalls,
  place: SlackPlace,
): Promise<readonly Finding[]> {
  const seal = openSeal(keys);
  try {
    const { orgId, workspaces } = await lookAtWorkspaces(config.database, "default");
    return await examineInstalled({
      workspaces,
      allowed,
      isAllowed: (workspace) => isAllowed(allowed, workspace),
      clientOf: (workspace) => {
        const { access } = openedTokens(seal, orgId ?? "", workspace);
        return slackAccess({ botToken: access, ...addressOf(place), log: silent }).reads;
      },
      now: new Date(),
      installUrl: config.publicUrl === null ? null : `${config.publicUrl}${INSTALL_AT}`,
    });
  } catch (error) {
    if (!(error instanceof DatabaseInUse)) throw error;
    return [note("slack.workspaces", error.message, "Stop the service to have doctor look at each workspace.")];
  }
}
