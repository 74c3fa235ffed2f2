import type { Capability } from "#policy/capability.ts";
import type { Explanation } from "#policy/explain/explain.ts";
import type { LinkPlace } from "#policy/linked.ts";
import type { GroupRef, PolicyProblem } from "#policy/policy.ts";
import type { Place } from "#ports/chat.ts";
import type { Gate } from "./approval.ts";
import type { ApprovalFacts, AskFacts, RunFacts } from "./facts.ts";
import type { LinkRefusal } from "./linkable.ts";
import type { Reason, ShownRule } from "./reason.ts";
import type { Refusal } from "./refusal.ts";
import type { Run } from "./run.ts";
import type { Task } from "./task.ts";

/** What identifies a run to people. */
export interface RunTitle {
  readonly id: string;
  readonly number: number;
  readonly team: string;
  readonly repo: string;
  readonly branch: string;
  /** As people read it: "OpenCode", "demo: scripted model". */
  readonly agent: string;
  readonly costLimitUsd: number | null;
  /** The run page. */
  readonly url: string;
  /** The thread where its people answer, when that is not its home and its first message is there. */
  readonly mirror?: Place;
}

/** An open question in a few words. `name`: the secret, host or command. */
interface Question {
  readonly gate: Gate;
  readonly name: string | null;
}

/** What of several open questions was handed over to somebody. */
export interface Partly {
  readonly handed: readonly Question[];
  readonly kept: readonly (Question & { readonly refusal: Refusal })[];
}

/** Facts for a surface to word. One per outbox row or whisper; the surface decides nothing. */
export type View =
  /** The one message of a run, edited in place. */
  | { readonly kind: "status"; readonly run: RunTitle; readonly facts: RunFacts; readonly tasks: readonly Task[] }
  /** A question with buttons; after it is closed, what was decided. `claim`: what the agent says of it, quoted. */
  | {
      readonly kind: "approval";
      readonly run: RunTitle;
      readonly facts: RunFacts;
      readonly approval: ApprovalFacts;
      readonly claim: string | null;
      /** Where the people of each group that may answer come from now, by `peopleOf`, so that a surface can call them. */
      readonly groups: Readonly<Record<string, GroupRef>>;
    }
  /** A question that nobody has answered yet, put to its people once more. Its card has the buttons. */
  | {
      readonly kind: "reminder";
      readonly run: RunTitle;
      readonly facts: RunFacts;
      readonly approval: ApprovalFacts;
      readonly groups: Readonly<Record<string, GroupRef>>;
    }
  /** Nobody decided in time, and `to` may answer too from now on; or `by` has `account` answer in their place. */
  | {
      readonly kind: "escalated" | "delegated";
      readonly run: RunTitle;
      readonly facts: RunFacts;
      readonly approval: ApprovalFacts;
      readonly groups: Readonly<Record<string, GroupRef>>;
      /** Of "delegated": who was named by whom. */
      readonly handed: ApprovalFacts["delegated"][number] | null;
    }
  /** The pull request with what it rests on. */
  | { readonly kind: "receipt"; readonly run: RunTitle; readonly facts: RunFacts }
  /** What reviewers and the forge's own checks say of the pull request, while it waits: one message, edited in place. */
  | { readonly kind: "forge"; readonly run: RunTitle; readonly facts: RunFacts }
  /** A host was refused: which, by what, and who could change it. */
  | {
      readonly kind: "blocked";
      readonly run: RunTitle;
      readonly host: string;
      readonly port: number;
      readonly reason: string;
      readonly rule: string | null;
      readonly times: number;
    }
  /** How it ended, when that is not the receipt: denied, answered, cancelled, handed_off, merged, closed. */
  | { readonly kind: "outcome"; readonly run: RunTitle; readonly facts: RunFacts }
  /** For one person in several teams, in a direct message: which one it is for. `key` names the words that wait. */
  | { readonly kind: "choose_team"; readonly key: string; readonly teams: readonly string[]; readonly text: string }
  /** For one person: why nothing happened, and what to do. `run`: the one that it is about, where there is one. */
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly run?: RunTitle }
  /** For one person: what their act did. */
  | {
      readonly kind: "noted";
      readonly what: "approved" | "denied" | "stopping" | "asked_again" | "queued" | "delegated";
      readonly run: RunTitle;
      /** Of "delegated", when not every open question could be handed over: which were, and why the others were not. */
      readonly partly?: Partly;
    }
  /** For one person: what they write elsewhere, until `until`, to show that the account there is theirs. */
  | { readonly kind: "link_code"; readonly provider: LinkPlace; readonly code: string; readonly until: Date }
  /** The same by a page that they alone are shown: there they sign in elsewhere. */
  | { readonly kind: "link_page"; readonly provider: LinkPlace; readonly url: string; readonly until: Date }
  /** For one person: which accounts elsewhere are theirs, and where they could link one. */
  | {
      readonly kind: "links";
      readonly accounts: readonly { readonly provider: LinkPlace; readonly name: string }[];
      readonly places: readonly LinkPlace[];
    }
  /** For one person: a code of theirs was written elsewhere, and nothing came of it. */
  | {
      readonly kind: "link_refused";
      readonly provider: LinkPlace;
      readonly name: string;
      readonly why: LinkRefusal;
      /** Of "theirs": what the person is called whose account it is; `null` otherwise. */
      readonly holder: string | null;
    }
  /** For one person: an account elsewhere was taken from them, by the operator or by somebody who signed in as it. */
  | {
      readonly kind: "link_lost";
      readonly provider: LinkPlace;
      /** As it is called there, and as an operator names it. */
      readonly name: string;
      readonly account: string;
      readonly by: { readonly operator: string } | { readonly signedIn: string };
    }
  /** For one person: an account elsewhere acts in their name from now on. `name`: as it is called there. */
  | { readonly kind: "linked"; readonly provider: string; readonly name: string; readonly person: string }
  /** For one person: where accounts no longer do. */
  | { readonly kind: "unlinked"; readonly from: readonly LinkPlace[] }
  | {
      readonly kind: "help";
      readonly team: string | null;
      readonly repos: readonly string[];
      readonly examples: readonly string[];
      /** Named prompts that the team's policy has. */
      readonly recipes: readonly { readonly title: string; readonly usage: string; readonly at: string }[];
    }
  | {
      readonly kind: "list";
      readonly whose: string;
      readonly runs: readonly (RunTitle & { readonly state: string; readonly text: string })[];
    }
  | {
      readonly kind: "why";
      readonly run: RunTitle;
      readonly facts: RunFacts;
      readonly reasons: readonly Reason[];
      /** Whose policy it is: who can change the answer. */
      readonly owners: string | null;
    }
  /** The same where no run is: why this place has its team, and what that team may work on. */
  | {
      readonly kind: "why_here";
      readonly team: string;
      readonly because: string;
      /** "group:shop". */
      readonly members: string | null;
      readonly repositories: readonly string[];
      readonly rules: readonly ShownRule[];
      readonly owners: string | null;
    }
  /** For the policy's owners: its files do not load, or nobody agreed to them, and the last good one stays in force. */
  | {
      readonly kind: "policy_broken";
      readonly tree: string;
      readonly problems: readonly PolicyProblem[];
      /** How many of them are left out. */
      readonly more: number;
      readonly kept: { readonly commit: string; readonly digest: string };
      readonly at: Date;
    }
  | {
      readonly kind: "policy_mended";
      readonly now: { readonly commit: string; readonly digest: string };
      readonly at: Date;
    }
  /** For one person: what the team may do, as sentences with their places. */
  | {
      readonly kind: "policy";
      readonly team: string;
      readonly commit: string;
      readonly digest: string;
      readonly says: readonly Capability[];
    }
  /** A request that was made without a message of its own: it begins the thread that its run is followed in. */
  | { readonly kind: "asked"; readonly by: string; readonly text: string; readonly at: Date }
  /** For one person: what policy would say. `explanation`: `null` when the question was not understood. */
  | {
      readonly kind: "can";
      readonly team: string;
      readonly text: string;
      readonly explanation: Explanation | null;
      /** Whose policy it is: who can change the answer. */
      readonly owners: string | null;
    };

/** For one person, in a place of their own: what waits for them, what they asked for, what they may look up. */
export interface HomeView {
  readonly kind: "home";
  /** Open questions that they may answer now, oldest first. `card`: where its buttons are; `null` while it is not shown. */
  readonly waiting: readonly {
    readonly run: RunTitle;
    readonly asker: string;
    readonly text: string;
    readonly gate: Gate;
    readonly expiresAt: Date;
    readonly card: (Place & { readonly messageId: string }) | null;
  }[];
  /** Who may answer could not be read of every question: there may be more. */
  readonly unread: boolean;
  readonly runs: readonly (RunTitle & { readonly state: string; readonly text: string; readonly over: boolean })[];
  /** The teams that they are in now. */
  readonly teams: readonly string[];
  /** In force; `null`: it cannot be read. */
  readonly policy: { readonly commit: string; readonly digest: string } | null;
  readonly runsUrl: string;
  /** Accounts elsewhere. */
  readonly links: Pick<Extract<View, { kind: "links" }>, "accounts" | "places">;
}

/** Under this name a view has the people of a question: its group, or the owners of its paths. */
export const peopleOf = ({ from, owners }: Pick<AskFacts, "from" | "owners">): string =>
  owners === undefined || owners.length === 0 ? from : `codeowners ${owners.join(" ")}`;

export function titleOf(run: Run, agentTitle: string, baseUrl: string): RunTitle {
  return {
    id: run.id,
    number: run.number,
    team: run.team,
    repo: run.repo,
    branch: run.branch,
    agent: agentTitle,
    costLimitUsd: run.scope?.limits.costUsd ?? null,
    url: `${baseUrl}/runs/${run.id}`,
    ...(run.mirror === null || run.mirror.thread === "" ? {} : { mirror: run.mirror }),
  };
}

/** The steps of a run as a reader follows them: ours around the agent's own plan. */
export function tasksOf(facts: RunFacts): readonly Task[] {
  const reached = new Set([facts.state, ...facts.moves.map((move) => move.to)]);
  const over = facts.handoff !== null || facts.state === "cancelled" || facts.state === "denied";
  const step = (title: string, begun: boolean, done: boolean): Task => ({
    title,
    status: done ? "complete" : begun ? (over ? "error" : "in_progress") : "pending",
  });
  const start = facts.approvals.filter((approval) => approval.gate === "start");
  const worked = reached.has("checking") || facts.answer !== null;
  return [
    ...(start.length > 0
      ? [
          step(
            `Approval by ${start[0]?.asks.map((ask) => ask.from.replace("group:", "")).join(", ")}`,
            true,
            reached.has("queued"),
          ),
        ]
      : []),
    step("Prepare a sandbox", reached.has("preparing"), reached.has("working")),
    ...(facts.plan.length > 0 ? planOf(facts, worked) : [step("Work on the request", reached.has("working"), worked)]),
    ...(facts.answer === null
      ? [
          step("Run the checks on a clean checkout", reached.has("checking"), reached.has("publishing")),
          step("Open the pull request", reached.has("publishing"), facts.pullRequest !== null),
        ]
      : []),
  ];
}

/** The agent's own plan. Once its work is over nothing of it is still going on, whatever it forgot to say. */
function planOf(facts: RunFacts, worked: boolean): readonly Task[] {
  if (!worked) return facts.plan;
  return facts.plan.map((task) => (task.status === "in_progress" ? { ...task, status: "complete" } : task));
}
