import { z } from "zod";
import { webUrlOf } from "./addresses.ts";
import { anonymousClient, type Transport } from "./client.ts";
import { told } from "./failures.ts";

/** A GitHub App as GitHub's form takes it: docs.github.com, "Registering a GitHub App from a manifest". */
export interface Manifest {
  readonly name: string;
  readonly url: string;
  readonly redirect_url: string;
  /** Where people come back to after they have shown which account is theirs. */
  readonly callback_urls?: readonly string[];
  readonly public: false;
  readonly hook_attributes?: { readonly url: string; readonly active: true };
  readonly default_permissions: Readonly<Record<string, "read" | "write">>;
  readonly default_events: readonly string[];
}

/** `publicUrl`: where GitHub reaches us; `null`: nowhere, then the App has no webhook and a timer looks instead. */
export function manifestOf(o: {
  readonly name: string;
  readonly publicUrl: string | null;
  readonly redirectUrl: string;
}): Manifest {
  const { publicUrl } = o;
  return {
    name: o.name,
    url: publicUrl ?? "https://github.com",
    redirect_url: o.redirectUrl,
    ...(publicUrl === null ? {} : { callback_urls: [`${publicUrl}/identity/github/callback`] }),
    public: false,
    ...(publicUrl === null ? {} : { hook_attributes: { url: `${publicUrl}/github/webhooks`, active: true as const } }),
    // What each is for stands in access.ts. There is no permission to merge; nothing of ours does.
    default_permissions: {
      checks: "write",
      contents: "write",
      members: "read",
      metadata: "read",
      pull_requests: "write",
    },
    // GitHub refuses events of an App without a webhook.
    default_events: publicUrl === null ? [] : ["check_suite", "pull_request", "pull_request_review"],
  };
}

/** Where the form is sent: to a person's own settings or to an organisation's. */
export function newAppUrl(apiUrl: string, org: string | null, state: string): string {
  const place = org === null ? "settings/apps/new" : `organizations/${encodeURIComponent(org)}/settings/apps/new`;
  return `${webUrlOf(apiUrl)}/${place}?state=${encodeURIComponent(state)}`;
}

const Made = z.object({
  id: z.number(),
  slug: z.string(),
  name: z.string(),
  html_url: z.string(),
  pem: z.string().min(1),
  webhook_secret: z.string().nullish(),
  client_id: z.string().min(1),
  client_secret: z.string().min(1),
});

export interface MadeApp {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly installUrl: string;
  readonly privateKey: string;
  readonly webhookSecret: string | null;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Exchanges the code that GitHub sends back; it works once, within an hour. Throws "not_found" for one that does not. */
export async function exchangeCode(transport: Transport, code: string): Promise<MadeApp> {
  const { data } = await told("to take over the new GitHub App", () =>
    anonymousClient(transport).rest.apps.createFromManifest({ code }),
  );
  const made = Made.parse(data);
  return {
    id: made.id,
    slug: made.slug,
    name: made.name,
    installUrl: `${made.html_url}/installations/new`,
    privateKey: made.pem,
    webhookSecret: made.webhook_secret ?? null,
    clientId: made.client_id,
    clientSecret: made.client_secret,
  };
}
