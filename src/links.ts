import type { Hono } from "hono";
import type { Chat } from "#ports/chat.ts";
import type { Account, Directory } from "#ports/directory.ts";
import type { Core } from "#runs/core.ts";
import { codeOwner, redeem } from "#runs/link.ts";
import type { Linkable } from "#runs/linkable.ts";
import type { View } from "#runs/view.ts";
import type { WroteCode } from "#surfaces/github/codes.ts";
import { webSessions } from "#surfaces/web/session.ts";
import type { GithubApp } from "./forge.ts";
import type { LinearApp } from "./linear.ts";

/** Where people may link an account with their chat account, and how. */
export async function linkableOf(of: {
  readonly github: GithubApp | null;
  readonly linear: LinearApp | null;
}): Promise<readonly Linkable[]> {
  const { github, linear } = of;
  const places: Linkable[] = [];
  if (github !== null) {
    const { githubWorkspace } = await import("#adapters/repo-host/github/sign-in.ts");
    const by = github.oauth !== null ? "sign_in" : github.webhookSecret !== null ? "code" : null;
    places.push({ provider: "github", workspace: githubWorkspace(github.apiUrl), by });
  }
  if (linear !== null) places.push({ provider: "linear", workspace: linear.organization.id, by: "code" });
  return places;
}

/** What GitHub's side of it needs: pages of its own where people sign in there, else an ear for codes. */
export interface GithubLinks {
  readonly routes: Hono | null;
  readonly wrote: ((word: WroteCode) => Promise<void>) | null;
}

/** How people of the workspace link their accounts of GitHub. */
export async function githubLinks(o: {
  readonly core: Core;
  readonly github: GithubApp | null;
  readonly directory: Directory;
  /** Whether people sign in to the pages: then a link is of use to whom it was made for alone. */
  readonly signIn: boolean;
  /** For words to one person. */
  readonly chat: Chat<View>;
}): Promise<GithubLinks> {
  const { core, github } = o;
  const place = core.linkable?.find(({ provider }) => provider === "github");
  if (github === null || place === undefined || place.by === null) return { routes: null, wrote: null };
  const tell = (to: Account, view: View) =>
    o.chat.whisper({ provider: to.provider, workspace: to.workspace, channel: to.id, thread: "" }, to, view);

  /** Whoever owns the chat account hears of it, or a link that was read over a shoulder would go unseen. */
  const linked = (owner: Account, name: string) =>
    tell(owner, { kind: "linked", provider: "github", name, person: owner.name });

  if (github.oauth === null) {
    return { routes: null, wrote: (word) => wrote(core, place, word, { linked, tell }) };
  }
  const [{ githubSignIn }, { webUrlOf }, { identityRoutes, LINKED_AT }] = await Promise.all([
    import("#adapters/repo-host/github/sign-in.ts"),
    import("#adapters/repo-host/github/addresses.ts"),
    import("#surfaces/web/identity.ts"),
  ]);
  const { baseUrl, log, stores } = core;
  const https = new URL(baseUrl).protocol === "https:";
  const sessions = webSessions({ store: stores.sessions, directory: o.directory, https });
  const routes = identityRoutes({
    signIn: githubSignIn({ apiUrl: github.apiUrl, ...github.oauth, redirectUrl: `${baseUrl}${LINKED_AT}` }),
    owner: (link) => codeOwner(core, { text: link, provider: "github", once: null }),
    async link({ link, who, once }) {
      const account = { ...who, name: who.name ?? null };
      const came = await redeem(core, { text: link, account, once });
      if ("linked" in came) await linked(came.linked, who.name ?? who.id);
      return came;
    },
    ...(o.signIn ? { visitor: sessions.visitor } : {}),
    baseUrl,
    githubUrl: webUrlOf(github.apiUrl),
    log,
  });
  return { routes, wrote: null };
}

/**
 * Somebody wrote a code on GitHub. Only on a pull request of ours: nobody is watched anywhere else. There is no answer there;
 * whoever owns the code is told here what came of it.
 */
async function wrote(
  core: Core,
  place: Linkable,
  word: WroteCode,
  say: {
    readonly linked: (owner: Account, name: string) => Promise<void>;
    readonly tell: (owner: Account, view: View) => Promise<void>;
  },
): Promise<void> {
  if ((await core.stores.runs.byPullRequest(word.repo, word.number)) === null) return;
  const account = { provider: "github", workspace: place.workspace, id: String(word.id), name: word.login };
  const came = await redeem(core, { text: word.code, account, once: word.deliveryId });
  if ("linked" in came) return say.linked(came.linked, word.login);
  if (came.refused === "directory_unavailable") throw new Error("Slack did not say whose code that is");
  core.log("a code on GitHub linked nobody", { why: came.refused, repo: word.repo, number: word.number });
  if (came.owner !== null)
    await say.tell(came.owner, { kind: "link_refused", provider: "github", name: word.login, why: came.refused });
}
