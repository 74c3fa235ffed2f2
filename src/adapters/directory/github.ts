import { z } from "zod";
import { DirectoryUnavailable } from "#ports/directory.ts";
import type { Secret } from "#ports/secret.ts";
import { heldAnswers } from "./held.ts";

const TIMEOUT_MS = 10_000;
const PER_PAGE = 100;
/** 5,000 people: no team that approves is larger, and a server that never ends its list is cut off. */
const PAGES_MOST = 50;

/** What we read of an account: https://docs.github.com/rest/teams/members and /rest/users/users */
const Account = z.object({ login: z.string(), id: z.int().positive(), type: z.string() });
const Accounts = z.array(Account);

/** Accounts of teams and users, as numbers that stay when a login is renamed. Throws `DirectoryUnavailable`. */
export interface GithubPeople {
  /** Every member of "acme/leads" and of the teams below it. */
  team(name: string): Promise<readonly number[]>;
  user(login: string): Promise<number>;
}

export interface GithubPeopleOptions {
  /** "https://api.github.com", without a slash at the end. */
  readonly api: string;
  /** May read the organisation's teams, and needs nothing else. */
  readonly token: Secret;
  /** A proxy, or a stand-in in tests. */
  readonly fetch?: typeof fetch;
  /** At most 5 s; default 2 s. */
  readonly cacheMs?: number;
  readonly now?: () => number;
}

/** GitHub's teams, asked live. Anything but a plain answer is no answer. */
export function githubPeople({ api, token, cacheMs, now, ...o }: GithubPeopleOptions): GithubPeople {
  const call = o.fetch ?? fetch;
  const ask = heldAnswers({ cacheMs, now });

  async function get(path: string, about: string): Promise<{ readonly body: unknown; readonly next: boolean }> {
    let reply: Response;
    try {
      reply = await call(`${api}${path}`, {
        headers: {
          accept: "application/vnd.github+json",
          "x-github-api-version": "2022-11-28",
          "user-agent": "countersign",
          authorization: `Bearer ${token.reveal()}`,
        },
        // The token goes to the configured address and to no other.
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DirectoryUnavailable(`GitHub did not say ${about}: ${why}`, { cause });
    }
    if (reply.status !== 200) {
      await reply.body?.cancel();
      throw new DirectoryUnavailable(`GitHub did not say ${about}: ${meaning(reply)}`);
    }
    try {
      return { body: await reply.json(), next: /<[^>]*>;\s*rel="next"/.test(reply.headers.get("link") ?? "") };
    } catch (cause) {
      throw new DirectoryUnavailable(`GitHub's answer about ${about} cannot be read`, { cause });
    }
  }

  async function team(name: string): Promise<readonly number[]> {
    const [org = "", slug = ""] = name.split("/");
    const about = `who is in ${name}`;
    const ids = new Set<number>();
    for (let page = 1; page <= PAGES_MOST; page += 1) {
      const at = `/orgs/${encodeURIComponent(org)}/teams/${encodeURIComponent(slug)}/members`;
      const { body, next } = await get(`${at}?per_page=${PER_PAGE}&page=${page}`, about);
      const accounts = Accounts.safeParse(body);
      if (!accounts.success) {
        throw new DirectoryUnavailable(`GitHub's answer about ${about} cannot be read`, { cause: accounts.error });
      }
      for (const { id, type } of accounts.data) if (type === "User") ids.add(id);
      if (!next) return [...ids];
    }
    throw new DirectoryUnavailable(`GitHub did not say ${about}: its list does not end`);
  }

  async function user(login: string): Promise<number> {
    const about = `who ${login} is`;
    const account = Account.safeParse((await get(`/users/${encodeURIComponent(login)}`, about)).body);
    const same = account.success && account.data.login.toLowerCase() === login.toLowerCase();
    if (!same) throw new DirectoryUnavailable(`GitHub's answer about ${about} cannot be read`);
    if (account.data.type !== "User") throw new DirectoryUnavailable(`${login} is no person on GitHub`);
    return account.data.id;
  }

  return {
    team: (name) => ask(`team ${name.toLowerCase()}`, () => team(name)),
    user: (login) => ask(`user ${login.toLowerCase()}`, () => user(login)),
  };
}

/** What a status means to whoever has to mend it. */
function meaning({ status, headers }: Response): string {
  if (status === 401) return "it refuses the token";
  if (status === 429 || (status === 403 && headers.get("x-ratelimit-remaining") === "0")) return "too many questions";
  if (status === 403) return "the token may not read it";
  if (status === 404) return "there is none of that name, or the token may not see it";
  return `it answered ${status}`;
}
