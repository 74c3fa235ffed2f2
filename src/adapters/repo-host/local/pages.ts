import type { Context } from "hono";
import { Hono } from "hono";
import type { Decided } from "./decide.ts";
import { closePull, mergePull } from "./decide.ts";
import { readCommits } from "./diff.ts";
import { gitDirOf, repositoryRecord, repositoryRecords } from "./ground.ts";
import { formGuard } from "./guard.ts";
import type { LocalRepoHost } from "./host.ts";
import type { HostLook } from "./look.ts";
import type { Seat } from "./pull-view.ts";
import { pullPage, refusalBanner } from "./pull-view.ts";
import { readPulls } from "./pulls.ts";
import type { Person } from "./records.ts";
import type { Branch } from "./repository-view.ts";
import { hostPage, repositoryPage } from "./repository-view.ts";
import type { Review } from "./review.ts";
import { readReview } from "./review.ts";

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
    /** Everybody who can be signed in, for the sentence that says who may merge what an author may not. */
    people: readonly Person[];
    /** Whose words a pull request came of. They may close it and not merge it, as a forge's branch protection has it. */
    authors: (repo: string, number: number) => Promise<readonly Pick<Person, "id">[]>;
  },
): Hono {
  const { ground } = host;
  const { look } = o;
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
        "The repository or pull request is not on this host. The address may be cut short.",
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
    const repositories = (await host.repositories()).map((repository) => ({
      ...repository,
      description: described.get(repository.name) ?? "",
    }));
    return send(c, hostPage(look, home, repositories));
  });

  app.get("/:owner/:name", async (c) => {
    const repo = `${c.req.param("owner")}/${c.req.param("name")}`;
    const [record, repository] = [await repositoryRecord(ground, repo), await host.repository(repo)];
    if (record === null || repository === null) return nothing(c);
    const [pulls, branches, commits] = await Promise.all([
      readPulls(ground, repo),
      branchesOf(host, repo),
      readCommits(ground, repo, [`refs/heads/${repository.defaultBranch}`], 10),
    ]);
    const { description, source } = record;
    return send(c, repositoryPage(look, home, { repository, description, source, pulls, branches, commits }));
  });

  const PULL = "/:owner/:name/pull/:number{[1-9][0-9]{0,8}}";
  const find = async (c: Context): Promise<Review | null> =>
    readReview(ground, `${c.req.param("owner")}/${c.req.param("name")}`, Number(c.req.param("number")));

  /** What the token of an act is made for: it opens this button and no other. */
  const actOf = ({ pull }: Review, act: string): string => `${act} ${pull.repo}#${pull.number}`;

  /** Who can merge it instead of this author of it; `null`: this person may. */
  async function insteadOf(viewer: Person, { pull }: Review): Promise<readonly string[] | null> {
    const authors = new Set((await o.authors(pull.repo, pull.number)).map(({ id }) => id));
    return authors.has(viewer.id) ? o.people.filter(({ id }) => !authors.has(id)).map(({ name }) => name) : null;
  }

  async function seatOf(c: Context, review: Review): Promise<Seat | null> {
    const viewer = o.viewer(c.req.raw);
    if (viewer === null) return null;
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

  app.post(`${PULL}/:act{merge|close}`, async (c) => {
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
