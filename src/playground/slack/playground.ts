import { readFile } from "node:fs/promises";
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { controlApi } from "./control.ts";
import { RETRY_DELAYS_MS, startDeliveries } from "./deliver.ts";
import { localGate, loopbackOnly } from "./guard.ts";
import { useHook } from "./hooks.ts";
import type { House } from "./house.ts";
import { openJournal } from "./journal.ts";
import { openLive } from "./live.ts";
import type { AppSettings } from "./methods/manifest.ts";
import { type OpenidApp, openidRoutes } from "./openid.ts";
import { PATHS, PERSON_COOKIE } from "./paths.ts";
import { openSockets, type Sockets } from "./sockets.ts";
import { openTriggers } from "./triggers.ts";
import { warmUp } from "./validate.ts";
import { type Fault, webApi } from "./web-api.ts";
import { httpWire } from "./wire.ts";
import type { JsonObject, Seed } from "./world.ts";

/** What the app's manifest subscribes to. */
const SUBSCRIPTIONS: readonly string[] = [
  "app_mention",
  "message.channels",
  "message.im",
  "reaction_added",
  "reaction_removed",
  "app_home_opened",
  "agent_session_stopped",
];

export interface PlaygroundOptions {
  /** A folder of its own. Made when missing. */
  readonly dataDir: string;
  /** The start token: who has it may act as anybody here. */
  readonly token: string;
  readonly signingSecret: string;
  readonly botToken: string;
  /** Where the app takes events and interactions, absolute. */
  readonly eventsUrl: string;
  readonly interactivityUrl: string;
  /** Default: "commands" beside `eventsUrl`. */
  readonly commandsUrl?: string;
  /** The app has Socket Mode: everything comes over the sockets that it opens with this token, and nothing over HTTP. */
  readonly appToken?: string;
  readonly seed: Seed;
  /** Names of settings that point at real services. Any at all, and nothing starts. */
  readonly realCredentials: readonly string[];
  /** A line over every channel, such as "demo: scripted model". */
  readonly banner?: string;
  readonly subscriptions?: readonly string[];
  /** Default 3,000. */
  readonly answerWithinMs?: number;
  readonly retryDelaysMs?: readonly number[];
  /** People can sign in to other pages with their account here; absent: they cannot. */
  readonly openid?: OpenidApp;
  /** The app's settings can be read with its maker's token; absent: nobody's shows them. */
  readonly settings?: AppSettings;
  readonly now?: () => number;
}

export interface Playground {
  /** Mount it at the root: `app.route("/", playground.app)`. It answers only under `PATHS`. */
  readonly app: Hono;
  /** Starts sending events. Call it when the product listens. */
  begin(): void;
  /** Makes Web API calls fail: 429 with `retry-after`, or any other status. */
  fault(fault: Fault): void;
  /** The app's sockets; `null` without Socket Mode. */
  readonly sockets: Pick<Sockets, "refresh" | "cut" | "count"> | null;
  /** Resolves when every event has been answered or given up. */
  idle(): Promise<void>;
  /** Ends streams and timers and closes the files. Undelivered events stay written down. */
  stop(): void;
}

export class PlaygroundRefused extends Error {
  override readonly name = "PlaygroundRefused";
}

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const PAGE_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
} as const;

const pageFile = (name: string) => new URL(`../page/${name}`, import.meta.url);

/** A local stand-in for Slack: Web API, events, interactions, a page for people and a control API for scripts. */
export function startPlayground(o: PlaygroundOptions): Playground {
  if (o.realCredentials.length > 0) {
    throw new PlaygroundRefused(
      `The playground lets one person act as everybody, so it does not start beside real credentials (${o.realCredentials.join(", ")}). Unset them, or run without the playground.`,
    );
  }
  const now = o.now ?? Date.now;
  const answerWithinMs = o.answerWithinMs ?? 3_000;
  const journal = openJournal(o.dataDir, o.seed, now);
  const sockets =
    o.appToken === undefined
      ? null
      : openSockets({
          appId: o.seed.app.id,
          answerWithinMs,
          now,
          complain: (what) => journal.log("socket", { ok: false, error: what }),
        });
  const wire =
    sockets ??
    httpWire({
      eventsUrl: o.eventsUrl,
      interactivityUrl: o.interactivityUrl,
      commandsUrl: o.commandsUrl ?? new URL("commands", o.eventsUrl).href,
      signingSecret: o.signingSecret,
      answerWithinMs,
      now,
    });
  const deliveries = startDeliveries({
    journal,
    wire,
    subscriptions: o.subscriptions ?? SUBSCRIPTIONS,
    retryDelaysMs: o.retryDelaysMs ?? RETRY_DELAYS_MS,
    now,
  });
  const house: House = { world: journal.world, journal, deliveries, wire, now };
  const triggers = openTriggers(now);
  const socketMode = sockets === null || o.appToken === undefined ? null : { appToken: o.appToken, sockets };
  const api = webApi({ house, botToken: o.botToken, triggers, socketMode, settings: o.settings ?? null });
  const live = openLive(house);
  const app = new Hono();

  const page = async (c: Context) => {
    if (!getCookie(c, PERSON_COOKIE)) {
      const first = o.seed.users.find((user) => !user.isBot);
      setCookie(c, PERSON_COOKIE, first?.id ?? "", { sameSite: "Strict", path: "/" });
    }
    return c.body(await readFile(pageFile("index.html")), 200, {
      ...PAGE_HEADERS,
      "content-type": "text/html; charset=utf-8",
    });
  };
  const forPages = localGate(o.token, "page");
  const forScripts = localGate(o.token, "json");

  app.get(PATHS.page, ...forPages, page);
  app.get(`${PATHS.archives}/:channel/:message`, ...forPages, page);

  app.use(`${PATHS.assets}/*`, ...forScripts);
  app.get(`${PATHS.assets}/state`, (c) => c.json(live.state(o.banner ?? null)));
  app.get(`${PATHS.assets}/live`, (c) => live.stream(c));
  app.get(`${PATHS.assets}/:file{[a-z-]+\\.(js|css|svg)}`, async (c) => {
    const name = c.req.param("file");
    try {
      const type = TYPES[name.split(".").at(-1) ?? ""] ?? "text/plain";
      return c.body(await readFile(pageFile(name)), 200, { ...PAGE_HEADERS, "content-type": type });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return c.notFound();
      throw error;
    }
  });

  app.use(`${PATHS.control}/*`, ...forScripts);
  app.route(PATHS.control, controlApi({ house, triggers, api, hookPath: PATHS.hooks }));

  // Before the Web API: it knows these methods by no token of the app's.
  if (o.openid !== undefined) app.route("/", openidRoutes({ house, app: o.openid, token: o.token }));

  app.use(`${PATHS.webApi}*`, loopbackOnly);
  app.post(`${PATHS.webApi}:method`, (c) => api.handle(c));
  app.get(`${PATHS.webApi}:method`, (c) => api.handle(c));

  app.use(`${PATHS.hooks}/*`, loopbackOnly);
  app.post(`${PATHS.hooks}/:hook`, async (c) => {
    const body = (await c.req.json()) as JsonObject;
    const answer = useHook(house, c.req.param("hook"), body);
    const status = answer.status as 200 | 400 | 404;
    return answer.body === "ok" ? c.text("ok", status) : c.json(answer.body, status);
  });

  return {
    app,
    begin() {
      deliveries.begin();
      warmUp();
    },
    fault: (fault) => api.fault(fault),
    sockets,
    idle: () => deliveries.idle(),
    stop() {
      deliveries.stop();
      wire.stop();
      live.stop();
      journal.close();
    },
  };
}
