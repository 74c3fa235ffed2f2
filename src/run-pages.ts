import type { Core } from "#runs/core.ts";
import { eventsOf } from "#runs/look.ts";
import type { Run } from "#runs/run.ts";
import { unpublished } from "#runs/unpublished.ts";
import { runLine, runPage } from "#surfaces/web/fold.ts";
import type { RunPages } from "#surfaces/web/pages.ts";
import type { RunPage } from "#surfaces/web/run-view.ts";

const LISTED = 100;

/** Where what a page speaks of is shown. */
interface Elsewhere {
  /** What permalinks of the chat begin with, "" for this site itself, `null` when nobody said. */
  readonly workspaceUrl: string | null;
  readonly repositoryUrl: (repo: string) => string;
}

/** What the run pages show, out of the record. */
export function runPages(core: Core, elsewhere: Elsewhere): Omit<RunPages, "mayView" | "signIn"> {
  const load = async (runId: string): Promise<RunPage | null> => {
    const run = await core.stores.runs.get(runId);
    return run ? pageOf(core, run, elsewhere) : null;
  };
  return {
    load,
    async list() {
      const runs = await core.stores.runs.recent(core.orgId, LISTED);
      const spent = await core.stores.events.spent(runs.map((run) => run.id));
      return runs.map((run) => runLine(run, spent.get(run.id)));
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

async function pageOf(core: Core, run: Run, { workspaceUrl, repositoryUrl }: Elsewhere): Promise<RunPage> {
  const { channel, thread } = run.place;
  return runPage(run, await eventsOf(core, run.id), {
    agentTitle: core.agents.get(run.agent)?.profile.title ?? run.agent,
    place: {
      name: `#${run.team}`,
      // As chat.getPermalink has it, without asking for each.
      href: workspaceUrl === null ? null : `${workspaceUrl}/archives/${channel}/p${thread.replace(".", "")}`,
    },
    repoHref: repositoryUrl(run.repo),
    now: core.clock.now(),
  });
}
