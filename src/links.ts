import type { Hono } from "hono";
import type { LinkPlace } from "#policy/linked.ts";
import type { Chat } from "#ports/chat.ts";
import type { Directory } from "#ports/directory.ts";
import type { SignIn } from "#ports/sign-in.ts";
import { codeOwner, linkWritten, redeem, type WrittenCode } from "#runs/account/redeem.ts";
import type { Core } from "#runs/core.ts";
import type { Linkable } from "#runs/linkable.ts";
import type { View } from "#runs/view.ts";
import { webSessions } from "#surfaces/web/session.ts";
import type { GithubApp } from "./forge.ts";
import { githubLinkWay } from "./github-place.ts";
import type { LinearApp, LinearSide } from "./linear.ts";

/** Where people may link an account with their chat account, and how. `baseUrl`: where they open us. */
export async function linkableOf(of: {
  readonly github: GithubApp | null;
  readonly linear: LinearApp | null;
  readonly baseUrl: string;
}): Promise<readonly Linkable[]> {
  const { github, linear, baseUrl } = of;
  const signsIn = async (place: LinkPlace) => {
    const { linkPage } = await import("#surfaces/web/identity.ts");
    return { by: "sign_in", page: linkPage(baseUrl, place) } as const;
  };
  const places: Linkable[] = [];
  if (github !== null) {
    const { githubWorkspace } = await import("#adapters/repo-host/github/sign-in.ts");
    const at = { provider: "github", workspace: githubWorkspace(github.apiUrl) } as const;
    const by = githubLinkWay(github);
    places.push({ ...at, ...(by === "sign_in" ? await signsIn("github") : { by }) });
  }
  if (linear !== null) {
    const at = { provider: "linear", workspace: linear.organization.id } as const;
    places.push({ ...at, ...(linear.oauth === null ? { by: "code" as const } : await signsIn("linear")) });
  }
  return places;
}

/** What every place's side of it needs. */
interface LinkSide {
  readonly core: Core;
  readonly directory: Directory;
  /** Whether people sign in to the pages: then a link is of use to whom it was made for alone. */
  readonly signIn: boolean;
}

/** The pages where people sign in at a place, and come back from it. */
async function linkRoutes(
  { core, directory, signIn }: LinkSide,
  at: {
    readonly place: LinkPlace;
    readonly within?: string;
    readonly placeUrl: string;
    readonly signIn: (redirectUrl: string) => SignIn;
    /** What belongs around the linking of who came back. */
    readonly around?: LinearSide["signedIn"];
  },
): Promise<Hono> {
  const { identityRoutes, linkedAt } = await import("#surfaces/web/identity.ts");
  const { baseUrl, log, stores } = core;
  const { place, within, placeUrl } = at;
  const https = new URL(baseUrl).protocol === "https:";
  const sessions = webSessions({ store: stores.sessions, directory, https });
  const around: LinearSide["signedIn"] = at.around ?? (({ act }) => act());
  return identityRoutes({
    ...{ place, placeUrl, baseUrl, log },
    ...(within === undefined ? {} : { within }),
    signIn: at.signIn(`${baseUrl}${linkedAt(place)}`),
    owner: (link) => codeOwner(core, { text: link, provider: place, once: null }),
    link: ({ link, who, once }) => {
      const account = { ...who, name: who.name ?? null };
      const act = () => redeem(core, { text: link, account, proof: "sign_in", once });
      return around({ user: who.id, once, act });
    },
    ...(signIn ? { visitor: sessions.visitor } : {}),
  });
}

/** What GitHub's side of it needs: pages of its own where people sign in there, else an ear for codes. */
export interface GithubLinks {
  readonly routes: Hono | null;
  readonly wrote: ((word: WrittenCode) => Promise<void>) | null;
}

/** How people of the workspace link their accounts of GitHub. */
export async function githubLinks(
  o: LinkSide & {
    readonly github: GithubApp | null;
    /** For a refusal to one person. */
    readonly chat: Chat<View>;
  },
): Promise<GithubLinks> {
  const { core, github, chat } = o;
  const by = githubLinkWay(github);
  if (github === null || by === null) return { routes: null, wrote: null };
  const { oauth, apiUrl } = github;
  if (oauth === null) return { routes: null, wrote: (word) => linkWritten(core, chat, word) };
  const [{ githubSignIn }, { webUrlOf }] = await Promise.all([
    import("#adapters/repo-host/github/sign-in.ts"),
    import("#adapters/repo-host/github/addresses.ts"),
  ]);
  const routes = await linkRoutes(o, {
    place: "github",
    placeUrl: webUrlOf(apiUrl),
    signIn: (redirectUrl) => githubSignIn({ apiUrl, ...oauth, redirectUrl }),
  });
  return { routes, wrote: null };
}

/** The pages where people link their accounts of Linear; `null`: they do it with a code, on a ticket. */
export async function linearLinks(
  o: LinkSide & { readonly linear: LinearApp; readonly side: Pick<LinearSide, "signedIn"> },
): Promise<Hono | null> {
  const { oauth, organization } = o.linear;
  if (oauth === null) return null;
  const [{ linearSignIn }, { linearWebUrl }] = await Promise.all([
    import("#adapters/ticket/linear/sign-in.ts"),
    import("#adapters/ticket/linear/addresses.ts"),
  ]);
  return linkRoutes(o, {
    place: "linear",
    within: organization.name,
    placeUrl: linearWebUrl(oauth.apiUrl),
    signIn: (redirectUrl) => linearSignIn({ ...oauth, redirectUrl, log: o.core.log }),
    around: o.side.signedIn,
  });
}
