import type { Context } from "hono";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Decided } from "./decide.ts";
import { closePull, mergePull } from "./decide.ts";
import { readCommits } from "./diff.ts";
import { gitDirOf, repositoryRecord, repositoryRecords } from "./ground.ts";
import { formGuard } from "./guard.ts";
import type { LocalRepoHost } from "./host.ts";
import type { HostLook } from "./look.ts";
import type { Seat, Spectator } from "./pull-view.ts";
import { pullPage, refusalBanner } from "./pull-view.ts";
import { readPulls } from "./pulls.ts";
import type { Person } from "./records.ts";
import type { Branch } from "./repository-view.ts";
import { hostPage, repositoryPage } from "./repository-view.ts";
import type { Review } from "./review.ts";
import { readReview } from "./review.ts";

/** A token and a commit. */
const FORM_MOST_BYTES = 4_096;

/** Who sees what of the host, where not everybody sees all of it. Asked anew with each request; `false`, and nothing, in doubt. */
export interface Sight {
  /** Repositories that are shown, each with the numbers of its pull requests that are. */
  all(request: Request): Promise<ReadonlyMap<string, ReadonlySet<number>>>;
  pull(request: Request, repo: string, number: number): Promise<boolean>;
  /** Whether they may merge and close what they see. */
  mayDecide(request: Request, repo: string, number: number): Promise<boolean>;
  /** In words, after "shown to": who may see a pull request. */
  readonly readers: string;
  /** In words, after "merged by": who of them decide. */
  readonly deciders: string;
  /** In words, before "can": who may merge it in an author's place. */
  readonly others: string;
}

/**
 * The stand-in's own pages: repositories, pull requests, and the only place where a merge can be made, by a person who
 * is signed in. Mount it at the path of the host's `baseUrl`.
 */
export function localHostPages(
  host: LocalRepoHost,
  o: {
    look: HostLook;
    /** Who is signed in; `null`: may read at most. */
    viewer: (request: Request) => Person | null;
    /** Whether anything is shown at all. */
    mayView: (request: Request) => boolean | Promise<boolean>;
    /** Absent: everybody sees everything. */
    sight?: Sight;
    /** Everybody who can be signed in, for the sentence that says who may merge what an author may not; `sight` has its own. */
    people: readonly Person[];
    /** Whose words a pull request came of. They may close it and not merge it, as a forge's branch protection has it. */
    authors: (repo: string, number: number) => Promise<readonly Pick<Person, "id">[]>;
  },
): Hono {
  const { ground } = host;
  const { look, sight } = o;
  const home = new URL(ground.baseUrl).pathname.replace(/\/$/, "");
  const guard = formGuard();
  const app = new Hono();
  const send = (c: Context, page: string, status: 200 | 401 | 403 | 404 | 409 = 200): Response =>
    c.body(page, status, look.headers);

  const note = (title: string, words: string): string =>
    look.page({ title, body: look.h`<section class="note"><h1>${title}</h1><p>${words}</p></section>` });
  const nothing = (c: Context): Response =>
    send(
      c,
      note(
        "There is no such page",
        sight === undefined
          ? "The repository or pull request is not on this host. The address may be cut short."
          : `Either there is none, or it is not yours to see. A pull request is shown to ${sight.readers}; a repository to who may see one in it.`,
      ),
      404,
    );

  app.use("*", async (c, next) => {
    if (await o.mayView(c.req.raw)) return next();
    return send(
      c,
      note(
        "This page needs the start link",
        "Open the link that was printed where Countersign was started. This page opens after that.",
      ),
      401,
    );
  });

  app.get("/", async (c) => {
    const described = new Map((await repositoryRecords(ground)).map((record) => [record.name, record.description]));
    const seen = await sight?.all(c.req.raw);
    const repositories = (await host.repositories())
      .filter(({ name }) => seen === undefined || seen.has(name))
      .map((repository) => ({ ...repository, description: described.get(repository.name) ?? "" }));
    return send(c, hostPage(look, home, repositories));
  });

  app.get("/:owner/:name", async (c) => {
    const repo = `${c.req.param("owner")}/${c.req.param("name")}`;
    const numbers = sight === undefined ? null : ((await sight.all(c.req.raw)).get(repo) ?? "hidden");
    if (numbers === "hidden") return nothing(c);
    const [record, repository] = [await repositoryRecord(ground, repo), await host.repository(repo)];
    if (record === null || repository === null) return nothing(c);
    const [all, everyBranch, commits] = await Promise.all([
      readPulls(ground, repo),
      branchesOf(host, repo),
      readCommits(ground, repo, [`refs/heads/${repository.defaultBranch}`], 10),
    ]);
    const { description, source } = record;
    const place = sight === undefined ? { cloneUrl: repository.cloneUrl, source } : null;
    const pulls = all.filter(({ pull }) => numbers === null || numbers.has(pull.number));
    // A branch says what was done on it.
    const shown = new Set([repository.defaultBranch, ...pulls.map(({ pull }) => pull.branch)]);
    const branches = everyBranch.filter(({ name }) => numbers === null || shown.has(name));
    return send(c, repositoryPage(look, home, { repository, description, place, pulls, branches, commits }));
  });

  const PULL = "/:owner/:name/pull/:number{[1-9][0-9]{0,8}}";
  async function find(c: Context): Promise<Review | null> {
    const [repo, number] = [`${c.req.param("owner")}/${c.req.param("name")}`, Number(c.req.param("number"))];
    if (sight !== undefined && !(await sight.pull(c.req.raw, repo, number))) return null;
    const review = await readReview(ground, repo, number);
    // A path of the server's, which is of use to whoever runs it and to nobody else.
    return review === null || sight === undefined ? review : { ...review, cloneUrl: null };
  }

  /** What the token of an act is made for: it opens this button and no other. */
  const actOf = ({ pull }: Review, act: string): string => `${act} ${pull.repo}#${pull.number}`;

  /** Who can merge it instead of this author of it; `null`: this person may. */
  async function insteadOf(viewer: Person, { pull }: Review): Promise<readonly string[] | null> {
    const authors = new Set((await o.authors(pull.repo, pull.number)).map(({ id }) => id));
    if (!authors.has(viewer.id)) return null;
    if (sight !== undefined) return [sight.others];
    return o.people.filter(({ id }) => !authors.has(id)).map(({ name }) => name);
  }

  const mayDecide = async (c: Context, { pull }: Review): Promise<boolean> =>
    sight === undefined || (await sight.mayDecide(c.req.raw, pull.repo, pull.number));

  async function seatOf(c: Context, review: Review): Promise<Seat | Spectator | null> {
    const viewer = o.viewer(c.req.raw);
    if (viewer === null) return null;
    if (sight !== undefined && !(await mayDecide(c, review))) return { deciders: sight.deciders };
    const { id, setCookie } = guard.session(c.req.raw);
    if (setCookie !== null) c.header("set-cookie", setCookie);
    return {
      viewer,
      instead: await insteadOf(viewer, review),
      mergeToken: guard.token(id, viewer.id, actOf(review, "merge")),
      closeToken: guard.token(id, viewer.id, actOf(review, "close")),
    };
  }

  app.get(PULL, async (c) => {
    const review = await find(c);
    return review === null ? nothing(c) : send(c, pullPage(look, home, review, await seatOf(c, review), null));
  });

  app.post(`${PULL}/:act{merge|close}`, bodyLimit({ maxSize: FORM_MOST_BYTES }), async (c) => {
    const review = await find(c);
    if (review === null) return nothing(c);
    const refuse = async (
      why: Parameters<typeof refusalBanner>[2],
      status: 403 | 409,
      names: readonly string[] = [],
    ) => {
      const now = (await find(c)) ?? review;
      const banner = refusalBanner(look, now.pull.base, why, names);
      return send(c, pullPage(look, home, now, await seatOf(c, now), banner), status);
    };
    const viewer = o.viewer(c.req.raw);
    if (viewer === null) return refuse("signed_out", 403);
    if (!(await mayDecide(c, review))) return refuse("reads", 403);
    const act = c.req.param("act") === "merge" ? "merge" : "close";
    const form = await c.req.parseBody();
    const refusal = guard.check(c.req.raw, form.token, viewer.id, actOf(review, act));
    if (refusal !== null) return refuse(refusal, 403);
    const instead = act === "merge" ? await insteadOf(viewer, review) : null;
    if (instead !== null) return refuse("own", 403, instead);

    const { repo, number } = review.pull;
    const press = { repo, number, by: viewer, headOid: typeof form.head === "string" ? form.head : "" };
    const decided: Decided = await (act === "merge" ? mergePull(ground, press) : closePull(ground, press));
    if (decided.kind !== "merged" && decided.kind !== "closed")
      return refuse(decided.kind, 409, decided.kind === "conflict" ? decided.files : []);
    // Told in the background: the person's page does not wait for whoever listens. It never rejects.
    void host.tell();
    return c.redirect(`${home}/${repo}/pull/${number}`, 303);
  });

  app.all("*", nothing);
  return app;
}

/** Latest first, the default branch among them. */
async function branchesOf(host: LocalRepoHost, repo: string): Promise<readonly Branch[]> {
  const format = "--format=%(refname:lstrip=2)%1f%(objectname)%1f%(committerdate:iso-strict)%1f%(contents:subject)";
  const listed = await host.ground.git(
    ["for-each-ref", "--sort=-committerdate", "--count=200", format, "refs/heads/"],
    {
      gitDir: gitDirOf(host.ground, repo),
    },
  );
  return listed.stdout
    .toString("utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [name = "", oid = "", at = "", subject = ""] = line.split("\x1f");
      return { name, oid, at, subject };
    });
}
