import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { parseArgs } from "node:util";

/** What a new App is, as the adapter has it. */
export interface NewApp {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly installUrl: string;
  readonly privateKey: string;
  readonly webhookSecret: string | null;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** What the command line needs of the installation. */
export interface GithubCommand {
  readonly dataDir: string;
  /** Where GitHub reaches us, unless `--url` says otherwise; `null`: nowhere. */
  readonly publicUrl: string | null;
  /** Whether nobody between a browser and that address can read along: people link their account at GitHub over no other. */
  readonly isPrivate: (url: string) => boolean;
  readonly manifest: (of: { name: string; publicUrl: string | null; redirectUrl: string }) => object;
  /** Where the form is sent. */
  readonly formUrl: (org: string | null, state: string) => string;
  readonly exchange: (code: string) => Promise<NewApp>;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Ends the waiting for a person who does not come. */
  readonly stop: Promise<void>;
}

export const GITHUB_HELP = `  countersign github create-app [--org NAME] [--name NAME] [--url https://agents.example.com] [--port PORT]
      Makes the GitHub App that runs work as: opens a page on this machine, GitHub asks you once, and the key is kept
      in the data folder. --org: it belongs to an organisation. --url: where GitHub reaches the service (PUBLIC_URL).`;

const OPTIONS = {
  org: { type: "string" },
  name: { type: "string" },
  url: { type: "string" },
  port: { type: "string", default: "0" },
} as const;

/** Runs `countersign github …`. 0: an App was made; 1: it was not; 2: not understood. */
export async function githubCommand(argv: readonly string[], at: GithubCommand): Promise<number> {
  const [word, ...rest] = argv;
  if (word !== "create-app") {
    at.error(
      `countersign github: ${word === undefined ? "name one" : `there is no "github ${word}"`}\n\n${GITHUB_HELP}`,
    );
    return 2;
  }
  const { values } = parseArgs({ args: [...rest], options: OPTIONS });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    at.error(`countersign github: --port takes a port, not "${values.port}"`);
    return 2;
  }
  const publicUrl = values.url?.replace(/\/+$/, "") ?? at.publicUrl;
  if (publicUrl !== null && !/^https?:\/\/[^/]+$/.test(publicUrl)) {
    at.error(`countersign github: --url takes an address like https://agents.example.com, not "${publicUrl}"`);
    return 2;
  }
  const folder = path.join(at.dataDir, "github-app");
  const org = values.org ?? null;
  const name = values.name ?? `Countersign ${org ?? randomBytes(3).toString("hex")}`;
  const made = await asked(at, { org, name, publicUrl, port });
  if (made === null) return 1;
  await keep(folder, made);
  at.out(nextSteps(made, folder, { publicUrl, signsIn: publicUrl !== null && at.isPrivate(publicUrl) }));
  return 0;
}

/** Serves the page and waits for GitHub to send the person back; `null`: stopped before that. */
async function asked(
  at: GithubCommand,
  o: { org: string | null; name: string; publicUrl: string | null; port: number },
): Promise<NewApp | null> {
  const state = randomBytes(24).toString("base64url");
  const { promise: done, resolve } = Promise.withResolvers<NewApp>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      at.error(`countersign github: ${why}`);
      page(response, 502, `<h1>That did not work</h1><p>${escaped(why)}</p><p><a href="/">Try again</a></p>`);
    });
  });
  server.listen(o.port, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const manifest = at.manifest({ name: o.name, publicUrl: o.publicUrl, redirectUrl: `${origin}/made` });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A page elsewhere may point its own name at this machine; it does not get to speak for us.
    if (request.headers.host !== new URL(origin).host) return page(response, 400, "<h1>Not for this address</h1>");
    const url = new URL(request.url ?? "/", origin);
    if (url.pathname === "/") return page(response, 200, form(at.formUrl(o.org, state), manifest, o));
    if (url.pathname !== "/made") return page(response, 404, "<h1>Nothing here</h1>");
    const code = url.searchParams.get("code") ?? "";
    if (!same(url.searchParams.get("state") ?? "", state) || code === "")
      return page(response, 400, '<h1>This is not the answer to our question</h1><p><a href="/">Begin again</a></p>');
    const made = await at.exchange(code);
    page(response, 200, `<h1>${escaped(made.name)} is made</h1><p>The terminal says what comes next.</p>`);
    response.once("close", () => resolve(made));
  }

  at.out(`Open ${origin} in a browser on this machine. Ctrl-C stops without making anything.`);
  const made = await Promise.race([done, at.stop.then(() => null)]);
  server.close();
  server.closeAllConnections();
  return made;
}

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function form(
  action: string,
  manifest: object,
  o: { name: string; org: string | null; publicUrl: string | null },
): string {
  const hook =
    o.publicUrl === null
      ? "It gets no webhook, since no public address was named: merges are seen by a timer, within ten minutes."
      : `Its webhook posts to ${escaped(o.publicUrl)}/github/webhooks.`;
  return `<h1>Make a GitHub App</h1>
<p>GitHub shows its name, "${escaped(o.name)}", and asks you to confirm. It belongs to ${escaped(o.org ?? "your own account")}.</p>
<p>It may read and write code, pull requests and checks where you install it. ${hook}</p>
<form action="${escaped(action)}" method="post">
<input type="hidden" name="manifest" value="${escaped(JSON.stringify(manifest))}">
<button type="submit">Go to GitHub</button>
</form>`;
}

function page(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; form-action https: http:; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Countersign</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}</style>
</head><body>${body}</body></html>\n`);
}

/** Readable by their owner alone. An App that was made before is never written over: its key exists nowhere else. */
async function keep(folder: string, made: NewApp): Promise<void> {
  const own = path.join(folder, made.slug);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const files: readonly (readonly [string, string])[] = [
    ["private-key.pem", made.privateKey],
    ...(made.webhookSecret === null ? [] : [["webhook-secret", `${made.webhookSecret}\n`] as const]),
    ["client-secret", `${made.clientSecret}\n`],
    [
      "app.json",
      `${JSON.stringify({ id: made.id, slug: made.slug, name: made.name, client_id: made.clientId }, null, 2)}\n`,
    ],
  ];
  for (const [name, content] of files) await writeFile(path.join(own, name), content, { mode: 0o600, flag: "wx" });
}

/** `signsIn`: people can show at GitHub whose account is theirs; the service does not start with a client ID where not. */
function nextSteps(
  made: NewApp,
  folder: string,
  { publicUrl, signsIn }: { publicUrl: string | null; signsIn: boolean },
): string {
  const own = path.join(folder, made.slug);
  return [
    "",
    `The GitHub App "${made.name}" is made. Its key is in ${own}, readable by you alone; GitHub does not show it again.`,
    "",
    `  1. Install it where runs may work: ${made.installUrl}`,
    "  2. Start the service with",
    `       GITHUB_APP_ID=${made.id}`,
    `       GITHUB_APP_PRIVATE_KEY_FILE=${path.join(own, "private-key.pem")}`,
    ...(made.webhookSecret === null ? [] : [`       GITHUB_WEBHOOK_SECRET_FILE=${path.join(own, "webhook-secret")}`]),
    ...(signsIn
      ? [
          `       GITHUB_APP_CLIENT_ID=${made.clientId}`,
          `       GITHUB_APP_CLIENT_SECRET_FILE=${path.join(own, "client-secret")}`,
        ]
      : []),
    ...(publicUrl === null ? [] : [`       PUBLIC_URL=${publicUrl}`]),
    "     and with SLACK_BOT_TOKEN and SLACK_APP_TOKEN (Socket Mode), or SLACK_SIGNING_SECRET in place of the second (HTTP):",
    "     on the local Slack page one person acts as everybody, so it does not start beside a real App.",
    ...(publicUrl === null || signsIn
      ? []
      : ["     Over http:// people link their GitHub account with a code: at GitHub they could only over https://."]),
    "  3. Name its repositories in policy, as owner/name.",
    "",
  ].join("\n");
}
