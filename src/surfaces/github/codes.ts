import { z } from "zod";
import type { WrittenCode } from "#runs/account/redeem.ts";
import { codeIn } from "#runs/link-code.ts";

/** An account that has written a code of ours on a pull request. */
export type WroteCode = WrittenCode & { readonly kind: "wrote_code" };

const Repository = z.object({ full_name: z.string() });
/** Far longer than any of GitHub's. */
const User = z.object({ id: z.int().positive(), login: z.string().max(100), type: z.string() });

const Review = z.object({
  action: z.literal("submitted"),
  repository: Repository,
  pull_request: z.object({ number: z.int() }),
  review: z.object({ body: z.string().nullish(), user: User.nullish() }),
});

const Comment = z.object({
  action: z.literal("created"),
  repository: Repository,
  issue: z.object({ number: z.int(), pull_request: z.object({}) }),
  comment: z.object({ body: z.string().nullish(), user: User.nullish() }),
});

/**
 * The code that a person wrote in a review of a pull request, or in a comment on one, where the App is told of those. What was
 * edited later counts for nothing: who edits need not be who wrote. `null`: there is none.
 */
export function wroteCode(event: string, payload: unknown): Omit<WroteCode, "deliveryId"> | null {
  if (event === "pull_request_review") {
    const { data } = Review.safeParse(payload);
    return data === undefined ? null : written(data.repository, data.pull_request.number, data.review);
  }
  if (event === "issue_comment") {
    const { data } = Comment.safeParse(payload);
    return data === undefined ? null : written(data.repository, data.issue.number, data.comment);
  }
  return null;
}

function written(
  repository: z.infer<typeof Repository>,
  number: number,
  { body, user }: z.infer<typeof Comment>["comment"],
): Omit<WroteCode, "deliveryId"> | null {
  const code = codeIn(body ?? "");
  // Nothing beside it: who quotes another's words, or has a tool repeat them, has not written the code.
  if (code === null || code !== body?.trim() || user?.type !== "User") return null;
  return { kind: "wrote_code", repo: repository.full_name, number, id: user.id, login: user.login, code };
}
