import { userInfo } from "node:os";
import { type MirrorOptions, type PolicySource, policyMirror } from "#adapters/policy/mirror.ts";
import { ACCEPT_HELP, problemLines } from "./words.ts";

/** What the command needs: the policy's repository, and the mirror that the service of this machine keeps of it. */
export interface AcceptCommand extends MirrorOptions {
  readonly source: PolicySource;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

/** The one commit that is named; `null` after it was said why there is none. */
export function acceptedName(args: readonly string[], error: (text: string) => void): string | null {
  const [name = "", ...more] = args;
  if (more.length === 0 && /^[0-9a-f]{7,64}$/.test(name)) return name;
  error(`countersign policy accept: name one commit, by 7 or more of its digits\n\n${ACCEPT_HELP}`);
  return null;
}

/** 0: in force at the service's next look; 1: it cannot be. Throws when the branch cannot be fetched. */
export async function acceptCommand(name: string, at: AcceptCommand): Promise<number> {
  const { source } = at;
  const mirror = await policyMirror(source, at);
  const head = await mirror.fetch();
  const commit = await mirror.commitOf(name);
  if (head === null || commit === null || !(await mirror.isAncestor(commit, head))) {
    at.error(`countersign: ${name} is no commit of the branch ${source.branch}`);
    return 1;
  }
  const { loaded } = await mirror.load(commit);
  if (!loaded.ok) {
    at.error(problemLines(loaded.problems));
    return 1;
  }
  const before = await mirror.accepted();
  const who = userInfo().username;
  await mirror.accept(commit, before, `the operator's word: ${who}`);
  at.out(`in force at the next look: ${commit}, ${loaded.policy.digest}`);
  at.out(`before: ${before ?? "nothing"}`);
  at.out(`recorded as the word of ${who} in ${at.dir}: git reflog show refs/countersign/accepted`);
  return 0;
}
