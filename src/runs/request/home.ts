import type { Account } from "#ports/directory.ts";
import { linksOf } from "#runs/account/link.ts";
import { type Approval, judge } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { authorsOn } from "#runs/record/authors.ts";
import { titled } from "#runs/record/look.ts";
import { messageKey } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { isFinal } from "#runs/state.ts";
import type { HomeView, View } from "#runs/view.ts";
import { policyOf } from "./hear.ts";
import { standing, standingIn } from "./standing.ts";
import { liveMembers } from "./vote.ts";

/** Far more than one person answers in a day. */
const QUESTIONS_MOST = 50;
const RUNS_MOST = 10;

/** What waits for this person and what they asked for, as things are now. Nothing is done and nobody is told. */
export async function home(core: Core, account: Account): Promise<HomeView> {
  const here = { account, place: nowhere(account), shared: false, direct: true };
  const [stands, person] = await Promise.all([
    standing(core, here),
    core.store.tx((tx) => core.stores.people.resolve(tx, core.orgId, account, account.name)),
  ]);
  const [questions, runs, links] = await Promise.all([
    waitingFor(core, account),
    core.stores.runs.byRequester(core.orgId, person.id, RUNS_MOST),
    linksOf(core, account),
  ]);
  const current = core.policy();
  return {
    kind: "home",
    ...questions,
    runs: runs.map((run) => ({ ...titled(core, run), state: run.state, text: run.text, over: isFinal(run.state) })),
    teams: "refused" in stands ? [] : "choose" in stands ? stands.choose : [stands.team],
    policy: current.ok ? { commit: current.policy.commit, digest: current.policy.digest } : null,
    runsUrl: `${core.baseUrl}/runs`,
    links: { accounts: links.accounts, places: links.places },
  };
}

/** What a team may do, for one of its members, wherever they ask. */
export async function teamPolicy(core: Core, o: { account: Account; team: string }): Promise<View> {
  const current = core.policy();
  if (!current.ok) return { kind: "refused", refusal: { code: "policy_unavailable", problem: current.problem } };
  if (o.account.kind !== "member") return { kind: "refused", refusal: { code: "guest" } };
  const here = await standingIn(core, current.policy, o, o.team);
  return "refused" in here ? { kind: "refused", refusal: here.refused } : policyOf(core, here);
}

/** A person's own workspace: groups are looked up there. */
const nowhere = ({ provider, workspace }: Account) => ({ provider, workspace, channel: "", thread: "" });

/** Open questions that a click of this account would count for, by the same judgement as the click. */
async function waitingFor(core: Core, account: Account): Promise<Pick<HomeView, "waiting" | "unread">> {
  if (account.kind !== "member") return { waiting: [], unread: false };
  const waiting: HomeView["waiting"][number][] = [];
  let unread = false;
  for (const approval of await core.stores.approvals.pending(QUESTIONS_MOST)) {
    const run = await core.stores.runs.get(approval.runId);
    if (run === null || isFinal(run.state)) continue;
    const may = await mayAnswerNow(core, run, approval, account);
    if (may === null) unread = true;
    if (may !== true) continue;
    const shown = await core.stores.outbox.get(messageKey(run, "approval", approval.id));
    waiting.push({
      run: titled(core, run),
      asker: run.requester.name,
      text: run.text,
      gate: approval.gate,
      expiresAt: approval.expiresAt,
      card: shown?.messageId ? { ...shown.place, messageId: shown.messageId } : null,
    });
  }
  return { waiting, unread };
}

/** `null`: who is in its groups cannot be known now. */
async function mayAnswerNow(core: Core, run: Run, approval: Approval, account: Account): Promise<boolean | null> {
  const membersNow = await liveMembers(core, approval, { account });
  if (membersNow === null) return null;
  return core.store.tx(async (tx) => {
    const person = await core.stores.people.resolve(tx, core.orgId, account, account.name);
    const { refused } = judge(approval, await core.stores.approvals.votes(tx, approval.id), {
      person,
      account,
      choice: "approve",
      digest: approval.digest,
      now: core.clock.now(),
      authors: await authorsOn(core, tx, run, account),
      membersNow,
    });
    return refused === null;
  });
}
