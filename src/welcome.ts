import { INSTALL_AT } from "#surfaces/slack/install.ts";
import type { Config } from "./config.ts";
import type { Forge } from "./forge.ts";
import type { LinearApp } from "./linear.ts";

/** Where people talk to us, and which of two ways is used when both are set up. */
function chatOf(slack: Config["slack"], baseUrl: string, token: string): string {
  if (slack === null) return "a local page that works like Slack";
  if (slack.installs !== null) {
    const way = slack.intake.by === "http" ? "HTTP" : "Socket Mode";
    return `Slack, over ${way}, in the workspaces that install it: ${baseUrl}${INSTALL_AT}?token=${token}`;
  }
  if (slack.intake.by === "http") return "your Slack workspace, over HTTP (set SLACK_APP_TOKEN for Socket Mode)";
  const both =
    slack.intake.unused === null ? "" : ": SLACK_APP_TOKEN comes before SLACK_SIGNING_SECRET; unset it for HTTP";
  return `your Slack workspace, over Socket Mode${both}`;
}

/** What the person who started us reads. */
export function welcomeOf(
  config: Config,
  baseUrl: string,
  token: string,
  own: readonly string[],
  { forge, linear }: { forge: Forge; linear: LinearApp | null },
): string {
  const agent =
    config.agent === "demo"
      ? "demo: scripted model (set OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY for a real one)"
      : `OpenCode with ${config.model}`;
  return [
    "",
    config.signIn === null
      ? `  Countersign is ready: open ${baseUrl}/?token=${token}`
      : `  Countersign is ready: open ${baseUrl}/ and sign in with Slack`,
    "",
    `  agent     ${agent}`,
    `  chat      ${chatOf(config.slack, baseUrl, token)}`,
    ...(forge.github === null ? [] : [`  code      GitHub, as App ${forge.github.appId}`]),
    ...(config.signIn !== null && forge.local !== null ? [`  code      ${baseUrl}/code`] : []),
    ...(linear === null ? [] : [`  tickets   Linear, in ${linear.organization.name}`]),
    ...(own.length > 0 ? [`  yours     ${own.join(", ")}: ask in #yours`] : []),
    `  data      ${config.dataDir}`,
    "  stop      Ctrl-C; runs go on where they were at the next start",
    "",
  ].join("\n");
}
