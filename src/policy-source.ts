import { mkdirSync } from "node:fs";
import { gitEnvironment } from "#adapters/git.ts";
import { watchPolicyFolder } from "#adapters/policy/folder.ts";
import type { PolicyChange, PolicyWatch } from "#adapters/policy/keeper.ts";
import { watchPolicyRepository } from "#adapters/policy/repository.ts";
import { webUrlOf } from "#adapters/repo-host/github/addresses.ts";
import { localPolicyForge } from "#adapters/repo-host/local/backing.ts";
import { unnamedHome } from "#policy/load/warnings.ts";
import type { Policy } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { PolicyForge } from "#ports/policy-forge.ts";
import type { Core } from "#runs/core.ts";
import { agreed } from "#runs/decision/agreement.ts";
import { keepPolicy } from "#runs/decision/policy-kept.ts";
import { policyBroken, policyMended, policyRestored } from "#runs/decision/policy-news.ts";
import type { Config } from "./config.ts";
import type { Forge } from "./forge.ts";
import { StartError } from "./parts.ts";
import { policyFolder, policyMirrorPlace } from "./places.ts";
import { isOnForge, type PolicyRepository } from "./policy-place.ts";
import { siteOf } from "./site.ts";

/** What the policy needs of the house, once it stands. */
interface Standing {
  readonly core: Pick<Core, "directory" | "policy" | "redact" | "store" | "stores" | "nudge">;
  /** Of the chat: where the owners' channel is, and the people that a group names. */
  readonly workspace: string;
  /** The account behind a person of the local git host's pages; `null`: nobody that the directory knows. */
  readonly accountOf: (person: string) => ExternalId | null;
  /** The account behind a GitHub account's number; `null`: nobody vouches for one. */
  readonly accountOfGithub: (id: number) => Promise<ExternalId | null>;
}

type Places = Pick<Forge, "local" | "github">;

/** The policy as it is followed. */
export interface PolicyFeed {
  readonly watch: PolicyWatch;
  /** Everything is there: what changed meanwhile is told, and what is newer on a protected branch is looked for. */
  begin(standing: Standing): Promise<void>;
  /** Resolves when what was begun is done. */
  close(): Promise<void>;
}

/** The policy as the core asks for it; everything is denied until there is one. */
export function policyInForce(watch: () => PolicyWatch | null, site: SiteConfig): Core["policy"] {
  return () => {
    const now = watch();
    const current = now?.current();
    if (now === null || current === undefined) return { ok: false, problem: "it is still being opened" };
    if (current.ok) return { ok: true, policy: current.policy, sources: now.sources(), site };
    return { ok: false, problem: current.problems.map(({ at, message }) => `${at} ${message}`).join("; ") };
  };
}

/** From the folder, or from the repository. Throws `StartError` while there is no policy that loads. */
export async function openPolicyFeed(config: Config, forge: Places | null, say: Core["log"]): Promise<PolicyFeed> {
  const news = listener(say);
  const { policyRepository } = config;
  const site = siteOf(config, new Date());
  const place =
    policyRepository === null ? policyFolder(config) : `${policyRepository.repo}#${policyRepository.branch}`;
  const watch =
    policyRepository === null
      ? await watchPolicyFolder(policyFolder(config), { site, onChange: news.hear })
      : await fromRepository(config, policyRepository, { forge, news, say });
  const loaded = watch.current();
  if (!loaded.ok) {
    watch.close();
    const lines = loaded.problems.map(({ at, message }) => `${at} ${message}`);
    throw new StartError(`the policy in ${place} is broken:${lines.length === 1 ? " " : "\n  "}${lines.join("\n  ")}`);
  }
  const home = unnamedHome(loaded.policy, site);
  if (home !== null) say(home.what, { level: "warn", at: home.at, way: home.way });
  return {
    watch,
    async begin(standing) {
      await news.begin(standing, loaded.policy);
      const settled = () => {
        const now = watch.current();
        if (now.ok && watch.problems().length === 0) news.settled(now.policy);
      };
      // A folder has just been looked at; of a branch there may be newer commits than those that were in force.
      if (policyRepository === null) settled();
      else
        void watch
          .reload()
          .then(settled)
          .catch((error: unknown) => say("the policy could not be looked at", { error: String(error) }));
    },
    async close() {
      watch.close();
      await news.over();
    },
  };
}

async function fromRepository(
  config: Config,
  of: NonNullable<Config["policyRepository"]>,
  { forge, news, say }: { forge: Places | null; news: ReturnType<typeof listener>; say: Core["log"] },
): Promise<PolicyWatch> {
  const { dir, home } = policyMirrorPlace(config.dataDir, of);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const url = of.url ?? (await forge?.local?.repository(of.repo))?.cloneUrl;
  if (url === undefined)
    throw new StartError(
      `COUNTERSIGN_POLICIES: the local git host has no repository ${of.repo}. Serve one with --repo`,
    );
  const asked = await forgeOf(of, forge, news, say);
  return watchPolicyRepository(
    { url, branch: of.branch, folder: of.folder },
    {
      dir,
      env: gitEnvironment({ home }),
      token: of.token,
      site: siteOf(config, new Date()),
      patient: true,
      onChange: news.hear,
      async agreement(oid, inForce) {
        const { core, workspace } = news.standing();
        return agreed(core, { forge: asked, branch: of.branch, workspace }, oid, inForce);
      },
    },
  );
}

/** Who can be asked about the policy's commits; `null`: nobody of ours. */
async function forgeOf(
  of: PolicyRepository,
  forge: Places | null,
  news: ReturnType<typeof listener>,
  say: Core["log"],
): Promise<PolicyForge | null> {
  const { local = null, github = null } = forge ?? {};
  if (of.url === null) {
    return local === null
      ? null
      : localPolicyForge(local.ground, of.repo, (person) => news.standing().accountOf(person));
  }
  if (github === null || !isOnForge(of.url, of.repo, webUrlOf(github.apiUrl))) return null;
  const { githubPolicyForge } = await import("#adapters/repo-host/github/backing.ts");
  return githubPolicyForge({
    app: github,
    transport: { apiUrl: github.apiUrl, log: say },
    repo: of.repo,
    accountOf: (id) => news.standing().accountOfGithub(id),
  });
}

/**
 * Hears of every change, in order: what is in force is kept with its files, and a state that does not load is told to the
 * owners once, as is its end. What comes before the house stands waits for it.
 */
function listener(say: Core["log"]) {
  const ready = Promise.withResolvers<Standing>();
  let there: Standing | null = null;
  let alarm: string | null = null;
  let last: Promise<void> = Promise.resolve();

  async function tell({ core, workspace }: Standing, change: PolicyChange): Promise<void> {
    if (change.ok) {
      await core.store.tx((tx) => keepPolicy(core, tx, change.policy));
      if (alarm !== null) await policyMended(core, workspace, alarm, change.policy);
      alarm = null;
    } else if (change.kept !== null && !change.passing) {
      alarm = await policyBroken(core, workspace, { ...change, kept: change.kept });
    }
  }
  const queue = (work: (standing: Standing) => Promise<void>) => {
    last = last
      .then(async () => work(await ready.promise))
      .catch((error: unknown) => say("a change of the policy could not be kept or told", { error: String(error) }));
    return last;
  };
  return {
    hear(change: PolicyChange): void {
      if (change.ok) say("policy reloaded", { commit: change.policy.commit, digest: change.policy.digest });
      else say("policy is broken; the last good one stays in force", { level: "error", problems: change.problems });
      void queue((standing) => tell(standing, change));
    },
    /** What the files say is in force, as far as we know at the start. */
    settled(policy: Policy): void {
      void queue(async ({ core, workspace }) => {
        if (alarm === null) await policyRestored(core, workspace, policy);
      });
    },
    standing(): Standing {
      if (there === null) throw new Error("the house is still being opened");
      return there;
    },
    async begin(standing: Standing, first: Policy): Promise<void> {
      there = standing;
      await standing.core.store.tx((tx) => keepPolicy(standing.core, tx, first));
      ready.resolve(standing);
    },
    over: () => (there === null ? Promise.resolve() : last),
  };
}
