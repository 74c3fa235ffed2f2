import { digest } from "#policy/digest.ts";
import type { Scope } from "#policy/scope.ts";
import type { Gate } from "./approval.ts";
import type { Run } from "./run.ts";

/** What a yes covers: the exact arguments beside what they are for. Different bytes are a different question. */
export function bind(gate: Gate, run: Pick<Run, "id">, subject: Readonly<Record<string, unknown>>): string {
  return digest({ gate, run: run.id, subject });
}

/** Everything that starting this run would allow, as the start card shows it. */
export function startSubject(run: Run, scope: Scope, baseOid: string): Readonly<Record<string, unknown>> {
  return {
    text: run.text,
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

/** What would be published: the commit that was checked, and the paths that policy asks about. */
export function publishSubject(run: Run, headOid: string, paths: readonly string[]): Readonly<Record<string, unknown>> {
  return { repo: run.repo, base: run.baseOid, head: headOid, branch: run.branch, paths };
}
