import type { Mutation, Red } from "./mutation.ts";

const judged = (test: string): Red => ({ file: "test/runs/approval.test.ts", test });
const job = (test: string): Red => ({ file: "test/runs/main-job.int.test.ts", test });
const named = (test: string): Red => ({ file: "test/runs/delegation.test.ts", test });
const bounds = (test: string): Red => ({ file: "test/runs/bounds.int.test.ts", test });

/** Whose yes counts, for what, and how often. */
export const APPROVALS: readonly Mutation[] = [
  {
    name: "a yes counts for other bytes than its card showed",
    file: "src/runs/approval.ts",
    find: 'if (click.digest !== approval.digest) return { refused: "stale" };',
    replace: "",
    red: judged("a card that shows other bytes is stale"),
  },
  {
    name: "a yes counts after its time",
    file: "src/runs/approval.ts",
    find: "if (click.now >= approval.expiresAt)",
    replace: "if (click.now > approval.expiresAt)",
    red: judged("a click at the moment of expiry is too late"),
  },
  {
    name: "an author under another account may approve",
    file: "src/runs/approval.ts",
    find: "person.id === who.person.id ||",
    replace: "false ||",
    red: judged("the same human under a second account is still the author"),
  },
  {
    name: "an author whose account is not linked to their person may approve",
    file: "src/runs/approval.ts",
    find: "(account !== null && sameAccount(account, who.account))",
    replace: "false",
    red: judged("an author's own account is the author's, whoever it is linked to"),
  },
  {
    name: "who has left the group may still approve",
    file: "src/runs/seat.ts",
    find: "(isIn(account, ask.members) && isIn(account, now.members))",
    replace: "isIn(account, ask.members)",
    red: judged("who has left the group since it opened may not vote"),
  },
  {
    name: "who joined the group for this question may approve",
    file: "src/runs/seat.ts",
    find: "(isIn(account, ask.members) && isIn(account, now.members))",
    replace: "isIn(account, now.members)",
    red: judged("who joined the group after it opened may not vote"),
  },
  {
    name: "an author without an account here blocks nothing",
    file: "src/runs/approval.ts",
    find: 'return by.authors.some(({ account }) => account === null) ? "author_unlinked" : null;',
    replace: "return null;",
    red: judged("an author without an identity on this surface blocks the vote"),
  },
  {
    name: "one person makes a quorum of two",
    file: "src/runs/approval.ts",
    find: 'if (votes.some((vote) => vote.person.id === click.person.id)) return { refused: "already_voted" };',
    replace: "",
    red: judged("the second click of one person counts once"),
  },
  {
    name: "one yes is a quorum",
    file: "src/runs/approval.ts",
    find: "return new Set(places).size >= ask.quorum;",
    replace: "return new Set(places).size >= 1;",
    red: judged("however people click, it is approved only by a quorum of distinct members who are no authors"),
  },
  {
    name: "a yes to one question counts for another group's",
    file: "src/runs/approval.ts",
    find: "const seat = seatOf(ask, click.membersNow[index] ?? NOBODY, who,",
    replace:
      "const seat = seatOf({ ...ask, members: approval.asks.flatMap((one) => one.members) }, click.membersNow[index] ?? NOBODY, who,",
    red: judged("a yes counts for its own group's question and for no other"),
  },
  {
    name: "a yes counts though its voter has steered the run since",
    file: "src/runs/approval.ts",
    find: "seat !== null && maySit(ask, seat, isAuthor(click.authors, who)) ? [seat.of] : []",
    replace: "seat !== null ? [seat.of] : []",
    red: judged(
      "who has voted and then steered the run is an author by now: their yes does not count towards the quorum",
    ),
  },
  {
    name: "one question that lets authors vote opens all of them",
    file: "src/runs/approval.ts",
    find: "mine.every(({ ask, seat }) => maySit(ask, seat, true))",
    replace: "mine.some(({ ask, seat }) => maySit(ask, seat, true))",
    red: judged("an author may vote only where every question they answer lets authors vote"),
  },
  {
    name: "a guest in the approvers' group may approve",
    file: "src/runs/request/vote.ts",
    find: 'if (cast.account.kind !== "member") return refuse("not_a_member");',
    replace: "",
    red: bounds("a guest may not approve, whatever group they are in"),
  },
  {
    name: "a directory that does not answer is taken for the group as it was",
    file: "src/runs/request/vote.ts",
    find: 'core.log("approvers could not be read", { approval: approval.id, error: String(cause) });\n    return null;',
    replace: "void cause;\n    return approval.asks.map((ask) => ask.members);",
    red: job("a vote while the directory is away is refused and keeps the question open"),
  },
  {
    name: "who steers a run does not become its author",
    file: "src/runs/request/hear.ts",
    find: "const joined = await core.stores.people.addAuthor(tx, run.id, person.id);",
    replace: "const joined = false;",
    red: job("words in the thread reach the agent in its next turn, and who said them may not approve from then on"),
  },
  {
    name: "who said yes and steers the run afterwards keeps what it opened",
    file: "src/runs/approval/answers.ts",
    find: "return lost.length === 0;",
    replace: "return true;",
    red: {
      file: "test/runs/later-author.int.test.ts",
      test: "a yes to a command is none once its giver added to the run",
    },
  },
  {
    name: "a yes for once holds for ever",
    file: "src/runs/approval/yes.ts",
    find: "uses === null || given.length < uses",
    replace: "true || given.length < uses",
    red: bounds("a yes for once is used up: the same bytes are asked again"),
  },
  {
    name: "a yes to a command covers every command",
    file: "src/runs/bind.ts",
    find: "return digest({ gate, run: run.id, subject });",
    replace: "void subject;\n  return digest({ gate, run: run.id });",
    red: bounds("a yes for the run covers the same bytes again, and no others"),
  },
  {
    name: "a yes to publish covers a commit that nobody checked",
    file: "src/runs/bind.ts",
    find: "return { repo: run.repo, base: run.baseOid, head: headOid, branch: run.branch, paths };",
    replace: "void headOid;\n  return { repo: run.repo, base: run.baseOid, branch: run.branch, paths };",
    red: { file: "test/runs/bind.test.ts", test: "to publish another commit" },
  },
  {
    name: "a yes to a command holds under stricter rules than it was asked under",
    file: "src/runs/turn/permit.ts",
    find: "await answering(core, run, unspent, decision)",
    replace: "unspent[0]",
    red: bounds("a yes that was asked for under milder rules runs no command under stricter ones"),
  },
  {
    name: "a yes to publish holds under stricter rules than it was asked under",
    file: "src/runs/result/may-publish.ts",
    find: 'latest?.status === "approved" && (await answers(core, run, latest, decision))',
    replace: 'latest?.status === "approved"',
    red: {
      file: "test/runs/hostile.int.test.ts",
      test: "a yes that was asked for under milder rules does not publish under stricter ones",
    },
  },
  {
    name: "a start that policy denies by now begins",
    file: "src/runs/life/admit.ts",
    find: "if (await narrowed(core, run, scope)) return;",
    replace: "void narrowed;",
    red: {
      file: "test/runs/hostile.int.test.ts",
      test: "a start that policy denies by now does not begin, whoever said yes to it",
    },
  },
  {
    name: "silence is a yes",
    file: "src/runs/approval/expire.ts",
    find: 'core.stores.approvals.close(tx, approval.id, "expired")',
    replace: 'core.stores.approvals.close(tx, approval.id, "approved")',
    red: job("an unanswered question expires into neither yes nor no, and asking again brings it back"),
  },
  {
    name: "whoever is named makes one more of the quorum",
    file: "src/runs/seat.ts",
    find: "{ of: delegate.by.person.id, delegated: true }",
    replace: "{ of: who.person.id, delegated: true }",
    red: named("a place stays one answer: who named somebody and whom they named are not two of a quorum"),
  },
  {
    name: "whom an author named may approve",
    file: "src/runs/seat.ts",
    find: "(ask.self || !isAuthor(by))",
    replace: "true",
    red: named("a place ends with its holder: who left the group or became an author has named nobody"),
  },
  {
    name: "an author may be named and approve",
    file: "src/runs/seat.ts",
    find: "(ask.self && !seat.delegated)",
    replace: "ask.self",
    red: named("even where authors may answer, nobody answers for them and they answer for nobody"),
  },
  {
    name: "the next group may approve from the start",
    file: "src/runs/seat.ts",
    find: "ask.escalated !== undefined && isIn(account, ask.escalated.members) && ",
    replace: "",
    red: named("the next group answers once the question is theirs, and not before"),
  },
  {
    name: "a chat account is enough where more is asked for",
    file: "src/runs/approval.ts",
    find: 'if (ask.assurance === "step_up") return false;',
    replace: "",
    red: named("where more than a chat account is asked for no yes counts, and a no does"),
  },
  {
    name: "a yes lives through a change of the rule that asks",
    file: "src/runs/bound.ts",
    find: "return before !== undefined && digest(before) !== digest(wordsOf(rules));",
    replace: "return before !== undefined && digest(before) !== digest(wordsOf(rules) && before);",
    red: {
      file: "test/runs/bound.int.test.ts",
      test: "a yes that was given for the whole run dies with its rule before it is used again, and is asked anew",
    },
  },
  {
    name: "a yes that was bound to the policy lives through its change",
    file: "src/runs/bound.ts",
    find: "return digest(was) === digest(is) && !otherRules(approval, now);",
    replace: "void digest(was ?? is);\n  return !otherRules(approval, now);",
    red: {
      file: "test/runs/bound.int.test.ts",
      test: "an answer to a question that is bound to the policy is not counted once the policy has changed: it is put anew",
    },
  },
  {
    name: "a yes for a while holds for ever",
    file: "src/runs/approval/yes.ts",
    find: "if (end !== null && end <= core.clock.now()) return false;",
    replace: "",
    red: {
      file: "test/runs/grants.int.test.ts",
      test: "a yes for a while is one until it has passed, and then it is asked about again",
    },
  },
];
