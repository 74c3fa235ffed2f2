import type { EventBody } from "./event.ts";

type Of<Kind extends EventBody["kind"]> = Omit<Extract<EventBody, { kind: Kind }>, "kind">;

/** What the record says of a run's pull request, from its opening on. */
export interface PullRequestFacts {
  readonly repo: string;
  readonly number: number;
  readonly url: string;
  readonly draft: boolean;
  readonly oid: string;
  readonly at: Date;
  readonly state: "open" | "merged" | "closed";
  /** Who merged or closed it. */
  readonly by: string | null;
  readonly closedAt: Date | null;
  /** The last word of each reviewer. */
  readonly reviews: readonly (Of<"pull_request.reviewed"> & { readonly at: Date })[];
  /** The last outcome of each of the forge's own checks. */
  readonly forge: readonly (Of<"forge.checked"> & { readonly at: Date })[];
}

type PullRequestEvent = Extract<EventBody, { kind: `pull_request.${string}` | "forge.checked" }>;

/** One more event of a pull request. Before its opening there is nothing to fold it into. */
export function foldPullRequest(
  pull: PullRequestFacts | null,
  body: PullRequestEvent,
  at: Date,
): PullRequestFacts | null {
  if (body.kind === "pull_request.opened") {
    const { repo, number, url, draft, oid } = body;
    return { repo, number, url, draft, oid, at, state: "open", by: null, closedAt: null, reviews: [], forge: [] };
  }
  if (pull === null) return null;
  switch (body.kind) {
    case "pull_request.ready":
      return { ...pull, draft: false };
    case "pull_request.changed":
      if (body.change !== "merged" && body.change !== "closed") return pull;
      return { ...pull, state: body.change, by: body.by, closedAt: at };
    case "pull_request.reviewed":
      return { ...pull, reviews: [...pull.reviews.filter(({ by }) => by !== body.by), { ...body, at }] };
    case "forge.checked":
      return { ...pull, forge: [...pull.forge.filter(({ by }) => by !== body.by), { ...body, at }] };
  }
}
