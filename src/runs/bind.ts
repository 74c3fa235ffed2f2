import { digest } from "#policy/digest.ts";
import type { Scope } from "#policy/scope.ts";
import type { Gate } from "./approval.ts";
import type { Person, Run } from "./run.ts";
import type { Turn } from "./stores.ts";

/** What a yes covers: the exact arguments beside what they are for. Different bytes are a different question. */
export function bind(gate: Gate, run: Pick<Run, "id">, subject: Readonly<Record<string, unknown>>): string {
  return digest({ gate, run: run.id, subject });
}

/** What was said in the thread beside the request, in order: a yes to the request is a yes to these words too. */
export const addedWords = (turns: readonly Pick<Turn, "cause" | "person" | "text">[]): readonly string[] =>
  turns.filter(({ cause }) => cause === "follow_up").map(({ person, text }) => addedBy(person, text));

export const addedBy = (person: Person | null, text: string): string => `${person?.name ?? "Someone"}: ${text}`;

/** Everything that starting this run would allow, as the start card shows it. */
export function startSubject(
  run: Run,
  scope: Scope,
  baseOid: string,
  added: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  return {
    text: run.text,
    ...(added.length === 0 ? {} : { added }),
    repo: run.repo,
    base: baseOid,
    branch: scope.branch,
    agent: run.agent,
    model: run.model,
    paths: scope.paths.map(({ effect, globs, except }) => ({ effect, globs, except })),
    hosts: scope.egress.map(({ host, ports, methods }) => ({ host, ports, methods })),
    registry: scope.registry,
    limits: scope.limits,
    setup: scope.setup,
    checks: scope.checks.map(({ name, command }) => ({ name, command })),
    policy: scope.policy,
  };
}

/** A command exactly as the agent asked to run it. */
export const commandSubject = (command: string, input: unknown): Readonly<Record<string, unknown>> => ({
  command,
  input,
});

/** The hosts that a secret would be sent to, and where in a request: as they stood when the run began. */
export function secretSubject(run: Pick<Run, "scope">, name: string): Readonly<Record<string, unknown>> {
  const rules = (run.scope?.egress ?? []).filter(({ secret }) => secret?.name === name);
  return {
    secret: name,
    header: [...new Set(rules.flatMap(({ secret }) => secret?.header ?? []))].sort().join(", "),
    hosts: rules.map(({ host, ports, methods, paths }) => ({ host, ports, methods, paths })),
  };
}

/** What would be published: the commit that was checked, and the paths that policy asks about. */
export function publishSubject(run: Run, headOid: string, paths: readonly string[]): Readonly<Record<string, unknown>> {
  return { repo: run.repo, base: run.baseOid, head: headOid, branch: run.branch, paths };
}
