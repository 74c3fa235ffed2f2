/** Why a host was refused, as the gateway names it, in words that follow "because". Codes that are new are in no table. */
export const EGRESS_REASONS: Readonly<Record<string, string>> = {
  rule: "a rule refuses it",
  no_rule: "no rule allows it",
  ip_class: "its address is private or reserved",
  command: "it is not a connection to a named host",
  ip_literal: "it is a bare address, not a name",
  self_connection: "it is one of our own listeners",
  port: "no rule allows this port",
  bad_authority: "the name asked for and the name inside the connection differ",
  run_over: "the run is over",
  budget: "the run's budget is spent",
  unknown_token: "the sandbox is not known",
};

/** Why policy said no, in words that follow "because". */
export const POLICY_REASONS: Readonly<Record<string, string>> = {
  rule: "a rule denies it",
  no_rule: "no rule allows it",
  no_team: "the channel belongs to no team",
  not_a_member: "the person is not in the team's group",
  over_limit: "it is over a limit",
  no_sandbox: "no sandbox here is held to it",
  no_recipe: "policy has it no more for this team and repository",
  policy_unavailable: "the policy cannot be read",
  evaluator_failed: "the policy could not be evaluated, which is a fault of ours",
};

/** Why a click did not count, in words that follow a person's name. */
export const CLICK_REASONS: Readonly<Record<string, string>> = {
  own_run: "asked for this run or added to it",
  author_unlinked: "could not be told apart from an author without a known account",
  not_an_approver: "is not an approver",
  already_voted: "had answered already",
  already_decided: "answered after the decision",
  stale: "answered a card that had changed",
  expired: "answered too late",
  step_up: "had to prove more than a chat account",
  not_linked: "had yet to link an account that policy wants",
};
