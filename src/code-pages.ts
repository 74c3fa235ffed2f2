import { Hono, type MiddlewareHandler } from "hono";
import { demo } from "#adapters/agent/profiles.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localHostPages, type Sight } from "#adapters/repo-host/local/pages.ts";
import type { Person } from "#adapters/repo-host/local/records.ts";
import type { Account, Directory } from "#ports/directory.ts";
import { readable, takesPart } from "#runs/account/readable.ts";
import type { Core } from "#runs/core.ts";
import { authorsOfPull } from "#runs/record/authors.ts";
import type { Run } from "#runs/run.ts";
import { ownName, visitorOr } from "#surfaces/web/gate.ts";
import { pageLook } from "#surfaces/web/look.ts";
import { DEMO } from "#surfaces/web/run-page.ts";
import { webSessions } from "#surfaces/web/session.ts";
import { signInLink } from "#surfaces/web/sign-in.ts";

/** Of so many the newest runs a repository is shown to whoever may read a pull request in it. */
const LOOKED_THROUGH = 500;
const NOT_PUBLIC = "Pull requests show what people asked for and what the agent did, so they are not public.";

/** Who presses on the pages where nobody signs in. */
interface Local {
  readonly people: readonly Person[];
  readonly viewer: (request: Request) => Person | null;
}

/**
 * Everything under /code, of the local git host: where people sign in, for who may read the run behind it; without that for
 * whoever has passed `gate`, as one of `at.people`.
 */
export function codeRoutes(o: {
  core: Core;
  host: LocalRepoHost;
  gate: readonly MiddlewareHandler[];
  signIn: boolean;
  directory: Directory;
  at: Local;
}): Hono {
  const { core, host } = o;
  const app = new Hono();
  const shared = {
    look: core.defaultAgent.id === demo.id ? { ...pageLook, badge: DEMO } : pageLook,
    mayView: () => true,
    authors: (repo: string, number: number) => authorsOfPull(core, repo, number),
  };
  if (!o.signIn) {
    app.use("/code/*", ...o.gate);
    return app.route("/code", localHostPages(host, { ...shared, ...o.at }));
  }
  const https = new URL(core.baseUrl).protocol === "https:";
  const sessions = webSessions({ store: core.stores.sessions, directory: o.directory, https });
  /** Asked once for each request, before anything of it is answered. */
  const visitors = new WeakMap<Request, Account>();
  app.use("/code/*", ownName(core.baseUrl), async (c, next) => {
    const signIn = (path: string) => ({ text: "Sign in with Slack", href: signInLink(path) });
    const visitor = await visitorOr(c, { visitor: sessions.visitor, why: NOT_PUBLIC, signIn });
    if (visitor instanceof Response) return visitor;
    visitors.set(c.req.raw, visitor);
    return next();
  });
  const viewer = (request: Request): Person | null => {
    const visitor = visitors.get(request);
    return visitor === undefined ? null : { id: visitor.id, name: visitor.name };
  };
  const sight = sightOf(core, (request) => visitors.get(request) ?? null);
  return app.route("/code", localHostPages(host, { ...shared, people: [], viewer, sight }));
}

/** Of the newest runs. A number that a host gave twice is of the newest run that has it, as everywhere else. */
async function readablePulls(core: Core, visitor: Account): Promise<{ repo: string; number: number }[]> {
  const newest = new Map<string, Run>();
  for (const run of await core.stores.runs.recent(core.orgId, LOOKED_THROUGH)) {
    const key = `${run.repo}#${run.pullRequest?.number}`;
    if (run.pullRequest !== null && !newest.has(key)) newest.set(key, run);
  }
  const runs = await readable(core, visitor, [...newest.values()]);
  return runs.flatMap(({ repo, pullRequest }) => (pullRequest === null ? [] : [{ repo, number: pullRequest.number }]));
}

/** A pull request is read by whoever may read the run that opened it; one that no run of ours opened, by nobody. */
function sightOf(core: Core, visitorOf: (request: Request) => Account | null): Sight {
  return {
    async all(request) {
      const visitor = visitorOf(request);
      if (visitor === null) return new Map();
      const repositories = new Map<string, Set<number>>();
      for (const { repo, number } of await readablePulls(core, visitor)) {
        const numbers = repositories.get(repo) ?? new Set();
        repositories.set(repo, numbers.add(number));
      }
      return repositories;
    },
    async pull(request, repo, number) {
      const visitor = visitorOf(request);
      const run = visitor && (await core.stores.runs.byPullRequest(repo, number));
      return visitor !== null && run !== null && (await readable(core, visitor, [run])).length > 0;
    },
    async mayDecide(request, repo, number) {
      const visitor = visitorOf(request);
      const run = visitor && (await core.stores.runs.byPullRequest(repo, number));
      return visitor !== null && run !== null && takesPart(core, visitor, run);
    },
    readers:
      "the members of the channel where it was asked for or is answered, to whoever is asked about it, and to auditors",
    deciders: "members of the channel where it was asked for or is answered, or by whoever is asked about it",
    others: "Anybody else who is asked about it, or in its channel,",
  };
}
