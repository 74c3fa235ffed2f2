import { APPROVALS } from "./approvals.ts";
import { EDGES } from "./edges.ts";
import { GATEWAY } from "./gateway.ts";
import { GIT } from "./git.ts";
import { IDENTITY } from "./identity.ts";
import { INSTALLS } from "./installs.ts";
import { MODEL } from "./model.ts";
import type { Mutation } from "./mutation.ts";
import { POLICY } from "./policy.ts";
import { RUNS } from "./runs.ts";
import { STORE } from "./store.ts";
import { TICKETS } from "./tickets.ts";

/** Every safety line that is flipped, with the test that must turn red. */
export const MUTATIONS: readonly Mutation[] = [
  ...STORE,
  ...APPROVALS,
  ...RUNS,
  ...POLICY,
  ...GATEWAY,
  ...MODEL,
  ...GIT,
  ...EDGES,
  ...TICKETS,
  ...IDENTITY,
  ...INSTALLS,
];
