import { RepoHostError } from "#ports/repo-host.ts";
import { Secret } from "#ports/secret.ts";
import { type Api, appClient, type Transport, tokenClient } from "./client.ts";
import { failureOf, told } from "./failures.ts";

/** What a token may do. GitHub adds reading of metadata to each. */
export type Permissions = Readonly<Record<string, "read" | "write">>;

/** Reads the code: the relay's mirror. */
export const READ: Permissions = { contents: "read", metadata: "read" };
/** Held by git alone, for one push. */
export const PUSH: Permissions = { contents: "write", metadata: "read" };
/** Everything about a pull request except merging it: GitHub asks for `contents: write` for that. */
export const PULLS: Permissions = { contents: "read", metadata: "read", pull_requests: "write" };
export const CHECKS: Permissions = { checks: "write", metadata: "read" };
/** GitHub wants `contents: write` to take a pull request out of draft (cli/cli discussion 6924); used for that alone. */
export const READY: Permissions = { contents: "write", metadata: "read", pull_requests: "write" };
/** To ask a team for its review GitHub must be let read the organisation's members; an App may lack it. */
export const TEAM_REVIEW: Permissions = { ...PULLS, members: "read" };

/** An account that has installed the App. */
export interface Installation {
  readonly id: number;
  readonly account: string;
  readonly suspended: boolean;
  /** Where its owner changes what the App may do. */
  readonly settingsUrl: string;
}

export interface Access {
  /** A token for this one repository with exactly these permissions. Throws "not_found" or "denied" with the way out. */
  token(repo: string, permissions: Permissions): Promise<Secret>;
  /** A client that has such a token. */
  client(repo: string, permissions: Permissions): Promise<Api>;
  /** A client that may list what an installation may use, and nothing else. */
  lister(installation: Installation): Promise<Api>;
  installations(): Promise<readonly Installation[]>;
  /** The App's own name in addresses. */
  slug(): Promise<string>;
}

interface Minted {
  readonly token: Secret;
  readonly until: number;
}

/** A token lives an hour; one that a long fetch begins with should not end in it. */
const LEFT_MS_LEAST = 20 * 60_000;
/** Where a repository is installed hardly ever changes; a refused token forgets it at once. */
const INSTALLED_MS = 10 * 60_000;

/** Tokens of a GitHub App, each narrowed to one repository and to what it is for, and held to that. */
export function appAccess(o: {
  readonly app: { readonly appId: number; readonly privateKey: Secret };
  readonly transport: Transport;
  readonly webUrl: string;
}): Access {
  const asApp = appClient(o.transport, o.app);
  const minted = new Map<string, Promise<Minted>>();
  const places = new Map<string, { at: Promise<Installation>; until: number }>();
  let name: Promise<string> | null = null;

  function slug(): Promise<string> {
    name ??= asking(`to ask who GitHub App ${o.app.appId} is`, async () => {
      const { data } = await asApp.rest.apps.getAuthenticated();
      return data?.slug ?? String(o.app.appId);
    }).catch((error: unknown) => {
      name = null;
      throw error;
    });
    return name;
  }

  /** As `told`, for what the App does in its own name: a 401 there is about its key. */
  const asking = <T>(tried: string, act: () => Promise<T>): Promise<T> =>
    told(tried, () =>
      act().catch((error: unknown) => {
        if (failureOf(error)?.status !== 401) throw error;
        throw new RepoHostError(
          "denied",
          `GitHub does not accept the private key of GitHub App ${o.app.appId}: make a new key in the App's settings, and see that GITHUB_APP_ID is this App's`,
          { cause: error },
        );
      }),
    );

  async function installations(): Promise<readonly Installation[]> {
    const all = await asking("to list who installed the GitHub App", () =>
      asApp.paginate(asApp.rest.apps.listInstallations, { per_page: 100 }),
    );
    return all.map(installationOf);
  }

  function place(repo: string): Promise<Installation> {
    const known = places.get(repo);
    if (known && known.until > Date.now()) return known.at;
    const at = find(repo).catch((error: unknown) => {
      places.delete(repo);
      throw error;
    });
    places.set(repo, { at, until: Date.now() + INSTALLED_MS });
    return at;
  }

  async function find(repo: string): Promise<Installation> {
    const found = await asking(`to find ${repo}`, () =>
      asApp.rest.apps.getRepoInstallation(partsOf(repo)).then(
        ({ data }) => installationOf(data),
        (error: unknown) => {
          if (failureOf(error)?.status === 404) return null;
          throw error;
        },
      ),
    );
    if (found === null) throw await whyNot(repo);
    if (found.suspended) throw suspended(found);
    return found;
  }

  const suspended = ({ account, settingsUrl }: Installation) =>
    new RepoHostError(
      "denied",
      `${account} has suspended the GitHub App: its owner lets it work again at ${settingsUrl}`,
    );

  /** GitHub answers 404 to a name that does not exist and to one we may not see; the owner at least can be told apart. */
  async function whyNot(repo: string): Promise<RepoHostError> {
    const { owner } = partsOf(repo);
    const of = (await installations()).find((one) => one.account.toLowerCase() === owner.toLowerCase());
    if (of === undefined) {
      const where = `${o.webUrl}/apps/${await slug()}/installations/new`;
      return new RepoHostError("denied", `${owner} has not installed the GitHub App: its owner does at ${where}`);
    }
    if (of.suspended) return suspended(of);
    return new RepoHostError(
      "not_found",
      `there is no repository ${repo} that the GitHub App may use: see the name, or let the owner of ${owner} add it at ${of.settingsUrl}`,
    );
  }

  async function mint(repo: string, permissions: Permissions): Promise<Minted> {
    const installation = await place(repo);
    const wanted = { installation_id: installation.id, repositories: [partsOf(repo).repo], permissions };
    const { data } = await asking(`to get into ${repo}`, () =>
      asApp.rest.apps.createInstallationAccessToken(wanted).catch((error: unknown) => {
        places.delete(repo);
        const failure = failureOf(error);
        if (failure?.status !== 422) throw error;
        throw new RepoHostError(
          "denied",
          `${installation.account} does not grant the GitHub App ${listed(permissions)} on ${repo} (GitHub says "${failure.said}"): its owner accepts it at ${installation.settingsUrl}`,
          { cause: error },
        );
      }),
    );
    mustBeNarrow(repo, permissions, data);
    return { token: new Secret("github_token", data.token), until: Date.parse(data.expires_at) };
  }

  async function token(repo: string, permissions: Permissions): Promise<Secret> {
    const key = `${repo} ${listed(permissions)}`;
    const before = minted.get(key);
    const known = await before?.catch(() => null);
    if (known && known.until - Date.now() > LEFT_MS_LEAST) return known.token;
    // Somebody else who waited has begun a new one meanwhile.
    if (minted.get(key) !== before) return token(repo, permissions);
    const fresh = mint(repo, permissions);
    minted.set(key, fresh);
    try {
      return (await fresh).token;
    } catch (error) {
      if (minted.get(key) === fresh) minted.delete(key);
      throw error;
    }
  }

  return {
    token,
    installations,
    slug,
    client: async (repo, permissions) => tokenClient(o.transport, await token(repo, permissions)),
    async lister({ id, account }) {
      const { data } = await asking(`to list the repositories of ${account}`, () =>
        asApp.rest.apps.createInstallationAccessToken({ installation_id: id, permissions: { metadata: "read" } }),
      );
      mustBeGranted(account, { metadata: "read" }, data.permissions);
      return tokenClient(o.transport, new Secret("github_token", data.token));
    },
  };
}

/** "acme/shop" as GitHub's parameters. */
export function partsOf(name: string): { owner: string; repo: string } {
  const slash = name.indexOf("/");
  return { owner: name.slice(0, slash), repo: name.slice(slash + 1) };
}

const listed = (permissions: Permissions): string =>
  Object.entries(permissions)
    .map(([what, level]) => `${what}: ${level}`)
    .sort()
    .join(", ");

interface Answered {
  readonly id: number;
  readonly account?: { readonly login?: string; readonly slug?: string } | null;
  readonly suspended_at?: string | null;
  readonly html_url: string;
}

const installationOf = ({ id, account, suspended_at, html_url }: Answered): Installation => ({
  id,
  account: account?.login ?? account?.slug ?? "",
  suspended: suspended_at != null,
  settingsUrl: html_url,
});

/** What GitHub gave is never more than what was asked for; a token that is wider is thrown away, not used. */
function mustBeNarrow(
  repo: string,
  wanted: Permissions,
  given: {
    readonly repository_selection?: string;
    readonly repositories?: readonly { readonly full_name: string }[];
    readonly permissions?: object;
  },
): void {
  const names = given.repositories?.map((one) => one.full_name.toLowerCase()) ?? [];
  if (given.repository_selection !== "selected" || names.length !== 1 || names[0] !== repo.toLowerCase()) {
    throw new RepoHostError(
      "denied",
      `GitHub gave a token for ${names.join(", ") || "every repository"} where ${repo} was asked for: it is not used`,
    );
  }
  mustBeGranted(repo, wanted, given.permissions);
}

function mustBeGranted(where: string, wanted: Permissions, permissions: object | undefined): void {
  const given = Object.entries(permissions ?? {});
  const wider = given.filter(([what, level]) => level !== wanted[what] && !(what === "metadata" && level === "read"));
  const missing = Object.keys(wanted).filter((what) => !given.some(([name]) => name === what));
  if (wider.length + missing.length === 0) return;
  const got = given.map(([what, level]) => `${what}: ${level}`).join(", ");
  throw new RepoHostError(
    "denied",
    `GitHub gave a token that may ${got} in ${where}, not ${listed(wanted)}: it is not used`,
  );
}
