import fc from "fast-check";
import { decide } from "#policy/decide/decide.ts";
import { asCedar, asPolicy, cedarOutcome, object, organisation, prepare } from "#test/policy/cedar.ts";

/** Puts random requests to random policies, here and in Cedar. Throws at the first difference, with both texts. */
export function agreement(o: { policies: number; requestsEach: number }): {
  readonly requests: number;
  readonly outcomes: Readonly<Record<"allow" | "ask" | "deny", number>>;
} {
  const outcomes = { allow: 0, ask: 0, deny: 0 };
  let requests = 0;
  const requestsOf = fc.array(object, { minLength: o.requestsEach, maxLength: o.requestsEach });
  fc.assert(
    fc.property(organisation, requestsOf, (made, objects) => {
      const policy = asPolicy(made);
      const texts = { permit: asCedar(made, "permit"), forbid: asCedar(made, "forbid") };
      for (const word of ["permit", "forbid"] as const) prepare(`made-${word}`, texts[word]);
      for (const one of objects) {
        const ours = decide(policy, { team: "shop", objects: [one] }).outcome;
        const theirs = cedarOutcome("made", one);
        if (ours !== theirs) {
          throw new Error(
            `${JSON.stringify(one)}: ${ours} here, ${theirs} in Cedar\n${JSON.stringify(made)}\n${texts.permit}`,
          );
        }
        outcomes[ours]++;
        requests++;
      }
    }),
    { numRuns: o.policies, endOnFailure: true },
  );
  return { requests, outcomes };
}
