import type { LinkPlace } from "#policy/linked.ts";
import type { SignIn } from "#ports/sign-in.ts";
import type { LinkRefusal, NotLinked } from "#runs/linkable.ts";

/** Who came back from there. */
export type Who = Awaited<ReturnType<SignIn["finish"]>>;

/** What is different from place to place. */
interface PlaceWords {
  readonly name: string;
  /** What the account does for its person from then on. */
  readonly does: string;
  /** What we learn of it. */
  readonly learn: string;
  /** What an operator calls it. */
  readonly called: (who: Who) => string;
}
export const PLACES: Readonly<Record<LinkPlace, PlaceWords>> = {
  github: {
    name: "GitHub",
    does: "credited in commits as them, and known as an author of what they write",
    learn: "number and name",
    called: ({ name, id }) => name ?? id,
  },
  linear: {
    name: "Linear",
    does: "what they ask for on tickets is asked by them, and they are known as an author of what they write",
    learn: "id and name",
    // Names there are of people, and several have the same.
    called: ({ id }) => id,
  },
};

/** Where an account is that is to be linked. */
export interface LinkedPlace {
  readonly place: LinkPlace;
  /** What the part of the place is called whose accounts are meant, where it has several: a workspace of Linear's. */
  readonly within?: string;
  /** Where the place's pages are: the one other place that a form of ours may lead to. */
  readonly placeUrl: string;
}

type Why = readonly [status: 400 | 403 | 409 | 410 | 503, why: string];
/** Said of every place alike. */
const NOT_LINKED: Readonly<Record<Exclude<LinkRefusal, "theirs" | "another" | "elsewhere">, Why>> = {
  code_bad: [400, "This is no link of ours, or a part of it is missing."],
  code_late: [410, "This link has expired. A link is good for ten minutes."],
  code_used: [410, "This link was used before, and each works once."],
  sign_in: [400, "Accounts of this place are linked by signing in there."],
  guest: [403, "Whoever this link is of is no full member of the Slack workspace."],
  directory_unavailable: [503, "Slack could not tell us whose link that is. Open it again in a minute."],
};

/** Why nothing was linked, with the status that says so. `who`: came back; `null`: nobody has yet. */
export function whyNot({ place, within }: LinkedPlace, { refused: code, holder }: NotLinked, who: Who | null): Why {
  const { name, called } = PLACES[place];
  switch (code) {
    // Who has it has shown as much as whoever comes now: neither of them is believed more.
    case "theirs":
      return [
        409,
        `This ${name} account is linked with ${holder ?? "somebody else"} in Slack already. They can say "unlink ${place}" to the app there. If they do not, ask whoever runs this service for: countersign unlink ${place} ${who === null ? "ACCOUNT" : called(who)}`,
      ];
    case "another":
      return [409, `You have linked another ${name} account. Say "unlink ${place}" in Slack first.`];
    case "elsewhere":
      return [
        403,
        `You came back as somebody of another workspace of ${name}, and accounts are linked here of ${within ?? "one workspace"} alone. Open your link again, and choose that one there.`,
      ];
    default:
      return NOT_LINKED[code];
  }
}
