import type { Hono } from "hono";
import type { Chat } from "#ports/chat.ts";
import type { Directory } from "#ports/directory.ts";
import { codeOwner, linkSignedIn, linkWritten, type WrittenCode } from "#runs/account/redeem.ts";
import type { Core } from "#runs/core.ts";
import type { Linkable } from "#runs/linkable.ts";
import type { View } from "#runs/view.ts";
import { webSessions } from "#surfaces/web/session.ts";
import type { GithubApp } from "./forge.ts";
import { githubLinkWay } from "./github-place.ts";
import type { LinearApp } from "./linear.ts";

/** Where people may link an account with their chat account, and how. `baseUrl`: where they open us. */
export async function linkableOf(of: {
  readonly github: GithubApp | null;
  readonly linear: LinearApp | null;
  readonly baseUrl: string;
}): Promise<readonly Linkable[]> {
  const { github, linear } = of;
  const places: Linkable[] = [];
  if (github !== null) {
    const { githubWorkspace } = await import("#adapters/repo-host/github/sign-in.ts");
    const at = { provider: "github", workspace: githubWorkspace(github.apiUrl) } as const;
    const by = githubLinkWay(github);
    if (by === "sign_in") {
      const { linkPage } = await import("#surfaces/web/identity.ts");
      places.push({ ...at, by, page: linkPage(of.baseUrl) });
    } else places.push({ ...at, by });
  }
  if (linear !== null) places.push({ provider: "linear", workspace: linear.organization.id, by: "code" });
  return places;
}

/** What GitHub's side of it needs: pages of its own where people sign in there, else an ear for codes. */
export interface GithubLinks {
  readonly routes: Hono | null;
  readonly wrote: ((word: WrittenCode) => Promise<void>) | null;
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
  const { core, github, chat } = o;
  const by = githubLinkWay(github);
  if (github === null || by === null) return { routes: null, wrote: null };
  if (github.oauth === null) return { routes: null, wrote: (word) => linkWritten(core, chat, word) };
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
    link: ({ link, who, once }) =>
      linkSignedIn(core, chat, { provider: "github", code: link, account: { ...who, name: who.name ?? null }, once }),
    ...(o.signIn ? { visitor: sessions.visitor } : {}),
    baseUrl,
    githubUrl: webUrlOf(github.apiUrl),
    log,
  });
  return { routes, wrote: null };
}
