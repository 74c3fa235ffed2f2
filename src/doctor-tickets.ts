import { type Finding, fine, note, wrong } from "#command/doctor.ts";
import { linkedAt } from "#surfaces/web/identity.ts";
import type { Config } from "./config.ts";
import { examinePolicy } from "./doctor-policy.ts";
import { examineLinear, type LinearApp } from "./linear.ts";

/** What does not work without each scope of the Linear app, as the end of "so …". */
const WITHOUT: Readonly<Record<string, string>> = {
  read: "no ticket can be read",
  write: "nothing can be said on a ticket",
  "app:assignable": "no ticket can be delegated to the app",
  "app:mentionable": "the app cannot be mentioned on a ticket",
};

/** Whether Linear takes our app, each scope that it lacks, and whether any team's tickets lead anywhere. */
export async function examineTickets(config: Config): Promise<readonly Finding[]> {
  const lacking: string[] = [];
  const app = await examineLinear(config, (_, fields) => {
    if (Array.isArray(fields?.lacks)) lacking.push(...fields.lacks.map(String));
  });
  if (app === null) return [note("tickets", "No tickets: Linear is not set up.", "docs/linear.md says how.")];
  const { publicUrl, linear } = config;
  const ours = fine("tickets.linear", `Linear takes our app, in ${app.organization.name}.`);
  const scopes = lacking.map((scope) =>
    wrong(
      `tickets.scope.${scope}`,
      `The Linear app lacks the scope ${scope}, so ${WITHOUT[scope] ?? "something of ours fails"}.`,
      "In Linear, open the app under Settings, API, and let it have that scope: docs/linear.md.",
    ),
  );
  const byHand =
    linear !== null && "token" in linear.access
      ? [
          note(
            "tickets.token",
            "LINEAR_ACCESS_TOKEN is used as it is: its scopes are not looked at, and nobody renews it.",
            `It needs ${Object.keys(WITHOUT).join(", ")}. With LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET the service asks for its own, and renews it.`,
          ),
        ]
      : [];
  const webhook = note(
    "tickets.webhook",
    "Which webhook and which of its events the app has is not looked at.",
    `In Linear, open the app under Settings, API, and see that its webhook is ${publicUrl ?? "PUBLIC_URL"}/linear/webhooks, with agent session events (without them no ticket starts a run), inbox notifications (a ticket that is taken away stops nothing) and permission changes.`,
  );
  return [ours, ...scopes, ...byHand, webhook, ...(await unrouted(config)), linksOf(config, app)];
}

/** How people show whose account of Linear is whose, and what no token of the app can see of that. */
const linksOf = ({ publicUrl }: Config, { oauth }: LinearApp): Finding =>
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
async function unrouted(config: Config): Promise<readonly Finding[]> {
  const { policy } = await examinePolicy(config);
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
