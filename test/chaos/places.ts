import path from "node:path";
import { gitText } from "#adapters/git.ts";
import { gitDirOf } from "#adapters/repo-host/local/ground.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import { readPulls } from "#adapters/repo-host/local/pulls.ts";
import { systemClock } from "#ports/clock.ts";
import { boxesOf } from "./victims.ts";

/** Where an installation has its sandboxes and repositories, as a test looks at them from outside. */
export interface Places {
  /** Sandboxes that are there, in words. */
  sandboxes(): readonly string[];
  published(repo: string): Promise<Published>;
}

/** What of the agent's a repository has. */
export interface Published {
  /** "agent/… <commit>", of each branch. */
  readonly branches: readonly string[];
  /** "1 agent/… <commit>", of each pull request, also one that is closed. */
  readonly pulls: readonly string[];
}

export const BRANCHES = ["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/agent/"] as const;

/** What `BRANCHES` prints, as a list. */
export const listed = (printed: string): readonly string[] => printed.split("\n").filter(Boolean);

/** Below the installation's own folder. */
export const onThisMachine = (dataDir: string): Places => ({
  sandboxes: () => boxesOf(dataDir).map((box) => `${box.id} of ${box.run} (${box.slot})`),
  async published(repo) {
    const { ground, stop } = await localRepoHost({
      dir: path.join(dataDir, "repos"),
      baseUrl: "http://127.0.0.1",
      clock: systemClock,
      onChange: () => Promise.resolve(),
      onFailure: (error) => {
        throw error;
      },
    });
    const branches = listed(await gitText(ground.git, [...BRANCHES], { gitDir: gitDirOf(ground, repo) }));
    const pulls = (await readPulls(ground, repo)).map(({ pull }) => `${pull.number} ${pull.branch} ${pull.headOid}`);
    await stop();
    return { branches, pulls };
  },
});
