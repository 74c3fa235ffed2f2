import { Hono, type MiddlewareHandler } from "hono";
import { slackSignIn } from "#adapters/directory/slack-sign-in.ts";
import type { Directory } from "#ports/directory.ts";
import { overseen } from "#runs/account/overseen.ts";
import { readable } from "#runs/account/readable.ts";
import type { Core } from "#runs/core.ts";
import type { Answered } from "#runs/quick-yes.ts";
import { eventsOf } from "#runs/record/look.ts";
import { unpublished } from "#runs/result/unpublished.ts";
import type { Run } from "#runs/run.ts";
import { runLine, runPage } from "#surfaces/web/fold.ts";
import { ownName } from "#surfaces/web/gate.ts";
import { type RunPages, webPages } from "#surfaces/web/pages.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";
import { webSessions } from "#surfaces/web/session.ts";
import { SIGNED_IN_AT, signInLink, signInRoutes } from "#surfaces/web/sign-in.ts";
import type { SignInPlace } from "./sign-in-place.ts";

const LISTED = 100;
/** Of so many the newest that a person may read are listed. */
const LOOKED_THROUGH = 500;

/** What people answered since a time. */
type Answers = (since: Date) => Promise<readonly Answered[]>;

/** Where what a page speaks of is shown. */
interface Elsewhere {
  /** Where a run was asked for, in words, and the way there. */
  readonly askedAt: (run: Run) => Promise<RunPage["place"]>;
  readonly repositoryUrl: (repo: string) => string;
}

/** Everything under /runs, and the way in: who may read a run, by signing in; without that whoever has passed `gate`. */
export function runRoutes(o: {
  core: Core;
  answers: Answers;
  elsewhere: Elsewhere;
  gate: readonly MiddlewareHandler[];
  signIn: SignInPlace | null;
  directory: Directory;
  /** Whether a workspace's people may sign in. */
  admits: (workspace: string) => Promise<boolean>;
  /** The one that Slack asks for its sign-in first; `null`: there are several. */
  workspace: string | null;
}): Hono {
  const app = new Hono();
  const shown = runPages(o.core, o.elsewhere, o.answers);
  if (o.signIn === null) {
    app.use("/runs/*", ...o.gate);
    // The gate has asked for the start token; nobody comes here without it.
    return app.route("/", webPages({ ...shown, visitor: async () => "start link", signIn: null }));
  }
  const { directory, workspace, admits } = o;
  const { baseUrl, log } = o.core;
  for (const where of ["/runs/*", "/signin/*"]) app.use(where, ownName(baseUrl));
  const https = new URL(baseUrl).protocol === "https:";
  const sessions = webSessions({ store: o.core.stores.sessions, directory, https });
  const signIn = slackSignIn({ ...o.signIn, redirectUrl: `${baseUrl}${SIGNED_IN_AT}`, workspace });
  app.route("/", signInRoutes({ signIn, sessions, directory, admits, baseUrl, log }));
  const link = (path: string) => ({ text: "Sign in with Slack", href: signInLink(path) });
  return app.route("/", webPages({ ...shown, visitor: sessions.visitor, signIn: link }));
}

/** What the run pages show, out of the record. */
function runPages(core: Core, elsewhere: Elsewhere, answers: Answers): Omit<RunPages, "visitor" | "signIn"> {
  const load = async (runId: string): Promise<RunPage | null> => {
    const run = await core.stores.runs.get(runId);
    return run ? pageOf(core, run, elsewhere) : null;
  };
  return {
    load,
    async list(visitor) {
      const runs =
        visitor === "start link"
          ? await core.stores.runs.recent(core.orgId, LISTED)
          : (await readable(core, visitor, await core.stores.runs.recent(core.orgId, LOOKED_THROUGH))).slice(0, LISTED);
      const spent = await core.stores.events.spent(runs.map((run) => run.id));
      return runs.map((run) => runLine(run, spent.get(run.id)));
    },
    quick: (visitor) => overseen(core, visitor === "start link" ? null : visitor, answers),
    async mayRead(runId, visitor) {
      const run = await core.stores.runs.get(runId);
      return run !== null && (visitor === "start link" || (await readable(core, visitor, [run])).length > 0);
    },
    receipt: (runId) => core.stores.receipts.get(runId),

    /** The page now and after each change of its run; several changes at once are one page. */
    async *watch(runId, signal) {
      const changes = core.stores.events.changes(signal);
      const first = await load(runId);
      if (!first) return;
      yield first;
      for await (const changed of changes) {
        if (changed !== runId) continue;
        const page = await load(runId);
        if (!page) return;
        yield page;
      }
    },

    patch: (runId) => unpublished(core, runId),
  };
}

async function pageOf(core: Core, run: Run, { askedAt, repositoryUrl }: Elsewhere): Promise<RunPage> {
  const place = await askedAt(run);
  return runPage(run, await eventsOf(core, run.id), {
    agentTitle: core.agents.get(run.agent)?.profile.title ?? run.agent,
    place,
    repoHref: repositoryUrl(run.repo),
    now: core.clock.now(),
  });
}
