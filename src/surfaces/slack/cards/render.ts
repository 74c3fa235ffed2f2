import type { View } from "#runs/view.ts";
import {
  linkCodeCard,
  linkedCard,
  linkLostCard,
  linkPageCard,
  linkRefusedCard,
  linksCard,
  unlinkedCard,
} from "./accounts.ts";
import { approvalCard } from "./approval.ts";
import type { Card } from "./blocks.ts";
import { forgeCard } from "./forge.ts";
import { askedCard, blockedCard, chooseTeamCard, helpCard, listCard, notedCard, refusedCard } from "./notes.ts";
import { outcomeCard } from "./outcome.ts";
import { canCard, policyBrokenCard, policyCard, policyMendedCard } from "./policy.ts";
import { receiptCard } from "./receipt.ts";
import { handedCard, reminderCard } from "./reminder.ts";
import { statusCard } from "./status.ts";
import { whyCard, whyHereCard } from "./why.ts";

/** Facts in Slack's words. Pure: the same view at the same time gives the same card. */
export function render(view: View, now: Date): Card {
  switch (view.kind) {
    case "status":
      return statusCard(view, now);
    case "approval":
      return approvalCard(view);
    case "reminder":
      return reminderCard(view);
    case "escalated":
    case "delegated":
      return handedCard(view);
    case "receipt":
      return receiptCard(view);
    case "forge":
      return forgeCard(view);
    case "outcome":
      return outcomeCard(view);
    case "blocked":
      return blockedCard(view);
    case "refused":
      return refusedCard(view);
    case "noted":
      return notedCard(view);
    case "link_code":
      return linkCodeCard(view);
    case "link_page":
      return linkPageCard(view);
    case "link_lost":
      return linkLostCard(view);
    case "link_refused":
      return linkRefusedCard(view);
    case "links":
      return linksCard(view);
    case "linked":
      return linkedCard(view);
    case "unlinked":
      return unlinkedCard(view);
    case "help":
      return helpCard(view);
    case "list":
      return listCard(view);
    case "why":
      return whyCard(view);
    case "why_here":
      return whyHereCard(view);
    case "choose_team":
      return chooseTeamCard(view);
    case "policy":
      return policyCard(view);
    case "policy_broken":
      return policyBrokenCard(view);
    case "policy_mended":
      return policyMendedCard(view);
    case "can":
      return canCard(view);
    case "asked":
      return askedCard(view);
    default:
      return view satisfies never;
  }
}
