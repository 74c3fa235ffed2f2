import type { LinkPlace } from "#policy/linked.ts";
import type { LinkRefusal } from "#runs/linkable.ts";
import type { View } from "#runs/view.ts";
import { OPEN } from "#surfaces/slack/acts.ts";
import { actions, type Card, card, linkButton, section } from "./blocks.ts";
import { code, listed, moment, said } from "./text.ts";

type Of<K extends View["kind"]> = Extract<View, { kind: K }>;

export const PLACES: Readonly<Record<LinkPlace, string>> = { github: "GitHub", linear: "Linear" };

/** Where a code is written. */
const WHERE: Readonly<Record<LinkPlace, string>> = {
  github:
    "in a review of any pull request that I opened on GitHub (Files changed, Review changes, Comment), with nothing beside it",
  linear: "on the ticket on Linear, as a message to me",
};

/** For one person: what shows elsewhere that an account there is theirs. Nothing but the card has the code. */
export function linkCodeCard({ provider, code: text, until }: Of<"link_code">): Card {
  const place = PLACES[provider];
  return card(`Your code for ${place} is in this message. Write it there within ten minutes.`, [
    section(
      `*Write this ${WHERE[provider]}, until ${moment(until)}:*`,
      code(text, 800),
      "It works once, and links the account that writes it with you here. Show it to nobody before: whoever writes it there first is you from then on.",
    ),
  ]);
}

/** The same where people sign in: the address is theirs alone. */
export function linkPageCard({ provider, url, until }: Of<"link_page">): Card {
  const place = PLACES[provider];
  return card(`Your link to ${place} is in this message. Open it within ten minutes.`, [
    section(
      `*Show on ${place} which account is yours, until ${moment(until)}.*`,
      `You sign in there, we learn the account's ${provider === "github" ? "number" : "id"} and name, and nothing else. The link works once and is yours alone: give it to nobody.`,
    ),
    actions(
      linkButton({
        action: OPEN.account,
        text: `Link ${place}`,
        label: `Link your ${place} account`,
        url,
        style: "primary",
      }),
    ),
  ]);
}

/** For one person: which accounts are theirs, and what they can say. */
export function linksCard({ accounts, places }: Of<"links">): Card {
  const theirs = accounts.map(({ provider, name }) => `${said(name, 80)} on ${PLACES[provider]}`);
  const free = places.filter((place) => !accounts.some(({ provider }) => provider === place));
  const text = theirs.length === 0 ? "No account elsewhere is linked with you." : `Linked with you: ${listed(theirs)}.`;
  const say = [
    ...free.map((place) => code(`link ${place}`)),
    ...accounts.map(({ provider }) => code(`unlink ${provider}`)),
  ];
  const next =
    say.length === 0 ? "There is no other place here to link an account of." : `You can say ${listed(say, "or")}.`;
  return card(`${text} ${next}`, [section(text, next)]);
}

/** For one person: who acts in their name elsewhere from now on. */
export function linkedCard({ provider, name: account, person }: Of<"linked">): Card {
  const where = Object.hasOwn(PLACES, provider) ? PLACES[provider as LinkPlace] : said(provider, 40);
  const does =
    provider === "linear"
      ? "and may ask in your name there"
      : "and what it writes there counts as yours, like the credit for it";
  const text = `${said(account, 80)} on ${where} is linked with you, ${said(person, 60)}, ${does}. If that is not you, say unlink ${said(provider, 40)} to me at once.`;
  return card(text, [section(text)]);
}

const WHY: Readonly<Record<Exclude<LinkRefusal, "theirs">, string>> = {
  code_bad: "it is good for another place",
  code_late: "it had expired: a code is good for ten minutes",
  code_used: "it was used before, and each works once",
  sign_in: "accounts there are linked by signing in, and nothing that is written counts",
  elsewhere: "that account is of another workspace there than the one I work with",
  another: "you have linked another account there, and can say unlink first",
  guest: "you are no full member here",
  directory_unavailable: "Slack could not tell us who you are",
};

/** For one person: their code was written elsewhere, and nothing came of it. */
export function linkRefusedCard({ provider, name, why, holder }: Of<"link_refused">): Card {
  const wrote = `${said(name, 80)} wrote your code on ${PLACES[provider]}, and nothing was linked:`;
  const text =
    why === "theirs"
      ? `${wrote} that account is linked with ${holder === null ? "somebody else" : said(holder, 60)} already, who can say unlink ${provider} to me. If they do not, ask whoever runs this service for ${operators(provider, name)}. Then say link ${provider} for another code.`
      : `${wrote} ${WHY[why]}. Say link ${provider} for another code.`;
  return card(text, [section(text)]);
}

/** What an operator types to take an account from whoever has it. */
const operators = (provider: LinkPlace, account: string): string =>
  code(`countersign unlink ${provider} ${account}`, 200);

/** For one person: an account elsewhere is no longer theirs, and they did not say so themselves. */
export function linkLostCard({ provider, account, name, by }: Of<"link_lost">): Card {
  const there = `${said(name, 80)} on ${PLACES[provider]}`;
  const text =
    "operator" in by
      ? `${there} is no longer linked with you: whoever runs this service took it back (${said(by.operator, 60)}). Nobody acts in your name there. If the account is yours, say link ${provider} to me.`
      : `${there} is linked with ${said(by.signedIn, 60)} from now on, and no longer with you: they signed in there as that account, and you had linked it with a code. If the account is yours, ask whoever runs this service for ${operators(provider, account)}, then say link ${provider} to me.`;
  return card(text, [section(text)]);
}

export function unlinkedCard({ from }: Of<"unlinked">): Card {
  const places = listed(from.map((place) => PLACES[place]));
  const text =
    from.length === 0
      ? "No such account is linked with you, so nothing was changed."
      : `Your account on ${places} is no longer linked with you: nobody acts in your name there. Runs that were asked for go on; say stop in their thread to end one.`;
  return card(text, [section(text)]);
}
