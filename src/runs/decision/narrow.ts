import { sandboxOfBoth } from "#policy/decide/sandbox.ts";
import type { EgressDenial, EgressRule } from "#policy/egress.ts";
import { compileScope } from "#policy/load/compile.ts";
import { recipeNamed, withRecipe } from "#policy/load/recipes.ts";
import { containsRange } from "#policy/match/cidr.ts";
import { containsPath, containsText, pathGlob } from "#policy/match/glob.ts";
import { containsHost } from "#policy/match/hosts.ts";
import type { PathRule } from "#policy/paths.ts";
import type { Check, Scope } from "#policy/scope.ts";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";

/**
 * What a run may touch now: what it was started with, as far as the policy in force grants it too. A narrowing holds at
 * once, a widening waits for the next run. A policy that cannot be read, or that no longer gives the team the repository,
 * leaves no network and no model; what is done by then can still be saved to the run's own repository.
 */
export function scopeNow(core: Pick<Core, "policy">, run: Run): Scope {
  const scope = pinnedOf(run);
  const current = inForce(core, run, scope);
  return current === scope ? scope : narrowed(scope, current);
}

/** The setup of a run by now, and where that is not what policy names. */
export interface SetupNow {
  /** What was named when it was asked for and is still. */
  readonly commands: readonly string[];
  /** Named then and no more. */
  readonly left: readonly string[];
  /** Named since: people who said yes to the start have not seen it, and the next run has it. */
  readonly later: readonly string[];
}

export function setupNow(core: Pick<Core, "policy">, run: Run): SetupNow {
  const { setup } = pinnedOf(run);
  const { setup: commands } = scopeNow(core, run);
  const current = inForce(core, run, pinnedOf(run));
  return {
    commands,
    left: setup.filter((command) => !commands.includes(command)),
    later: (current?.setup ?? []).filter((command) => !setup.includes(command)),
  };
}

function pinnedOf({ id, scope }: Run): Scope {
  if (!scope) throw new Error(`run ${id} has no scope`);
  return scope;
}

/** What the policy in force grants alone: the pinned scope itself where nothing has changed; `null`: nothing that can be read. */
function inForce(core: Pick<Core, "policy">, { id, team, repo }: Run, pinned: Scope): Scope | null {
  const current = core.policy();
  if (!current.ok) return null;
  if (current.policy.digest === pinned.policy.digest) return pinned;
  const compiled = compileScope(current.policy, { team, repo, run: id.slice(-8) });
  if (!compiled.ok) return null;
  // One that is taken away after its run has begun takes nothing with it.
  const recipe = pinned.recipe === undefined ? null : recipeNamed(current.policy, pinned.recipe, { team, repo });
  return recipe === null ? compiled.scope : withRecipe(compiled.scope, recipe);
}

/** The first scope without what the second refuses. Where two patterns cross, only what one of them holds whole is kept. */
export function narrowed(pinned: Scope, current: Scope | null): Scope {
  if (current === null) return { ...pinned, egress: [], models: [], registry: false };
  const least = (key: "costUsd" | "tokens" | "runtimeMs" | "uploadBytes") =>
    Math.min(pinned.limits[key], current.limits[key]);
  return {
    ...pinned,
    egress: egressOfBoth(pinned.egress, current.egress),
    models: both(pinned.models, current.models, containsText),
    registry: pinned.registry && current.registry,
    limits: {
      ...pinned.limits,
      costUsd: least("costUsd"),
      tokens: least("tokens"),
      runtimeMs: least("runtimeMs"),
      uploadBytes: least("uploadBytes"),
    },
    paths: pathsOfBoth(pinned.paths, current.paths),
    sandbox: sandboxOfBoth(pinned.sandbox, current.sandbox),
    setup: pinned.setup.filter((one) => current.setup.includes(one) || pinned.ownSetup?.includes(one)),
    checks: checksOfBoth(pinned.checks, current.checks),
  };
}

/** When the run's time is over: as it was when it was admitted, less what policy gives a run less by now. */
export function deadlineNow(core: Pick<Core, "policy">, run: Run): Date | null {
  if (run.deadlineAt === null || run.scope === null) return run.deadlineAt;
  const less = run.scope.limits.runtimeMs - scopeNow(core, run).limits.runtimeMs;
  return new Date(run.deadlineAt.getTime() - less);
}

/**
 * All of both, and of one that both have the stricter words. One that policy has under the same name with another command by
 * now is one more, so it gets a name of its own.
 */
function checksOfBoth(pinned: readonly Check[], current: readonly Check[]): Check[] {
  const same = (a: Check, b: Check) => a.name === b.name && a.command === b.command;
  const kept = pinned.map((check): Check => {
    const now = current.find((one) => same(one, check));
    if (now === undefined) return check;
    return {
      ...check,
      timeoutMs: Math.min(check.timeoutMs, now.timeoutMs),
      required: check.required || now.required,
      paths: check.paths.length * now.paths.length === 0 ? [] : [...new Set([...check.paths, ...now.paths])],
    };
  });
  const added = current.filter((check) => !pinned.some((one) => same(one, check)));
  const taken = new Set(pinned.map(({ name }) => name));
  return [
    ...kept,
    ...added.map((check) => (taken.has(check.name) ? { ...check, name: `${check.name} (now)` } : check)),
  ];
}

/** Items of each list that some item of the other holds. */
function both<Item>(a: readonly Item[], b: readonly Item[], holds: (outer: Item, inner: Item) => boolean): Item[] {
  const within = (some: readonly Item[], all: readonly Item[]) =>
    some.filter((inner) => all.some((outer) => holds(outer, inner)));
  return [...new Set([...within(a, b), ...within(b, a)])];
}

/** The same where an empty list is "any"; `null` when nothing is left. */
function bothOrAny(
  a: readonly string[],
  b: readonly string[],
  holds: (outer: string, inner: string) => boolean,
): readonly string[] | null {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const left = both(a, b, holds);
  return left.length === 0 ? null : left;
}

function egressOfBoth(pinned: readonly EgressRule[], current: readonly EgressRule[]): EgressRule[] {
  const rules = distinct(pinned.flatMap((rule) => current.flatMap((now) => ruleOfBoth(rule, now) ?? [])));
  // A denial speaks of hosts, not of the grant it was written to: it outlives a grant that is gone.
  const denied = distinct([...pinned, ...current].flatMap((rule): readonly EgressDenial[] => rule.denied ?? []));
  return denied.length === 0 ? rules : rules.map((rule) => ({ ...rule, denied }));
}

/** What both rules grant; `null`: nothing. */
export function ruleOfBoth(a: EgressRule, b: EgressRule): EgressRule | null {
  const [host] = both([a.host], [b.host], containsHost);
  const ports = a.ports.filter((port) => b.ports.includes(port));
  const methods = bothOrAny(a.methods, b.methods, (outer, inner) => outer === inner);
  const paths = bothOrAny(a.paths, b.paths, (outer, inner) => containsPath(pathGlob(outer), pathGlob(inner)));
  if (host === undefined || ports.length === 0 || methods === null || paths === null) return null;
  const bodies = [a.maxBodyBytes, b.maxBodyBytes].filter((bytes) => bytes !== null);
  const same = a.secret?.name === b.secret?.name && a.secret?.header === b.secret?.header;
  return {
    host,
    ports,
    mode: a.mode === "intercept" ? a.mode : b.mode,
    methods,
    paths,
    private: both(a.private, b.private, containsRange),
    maxBodyBytes: bodies.length === 0 ? null : Math.min(...bodies),
    secret: same ? a.secret : null,
    rule: b.rule,
  };
}

/**
 * Both lists as one, in which the stricter word wins. A second `allow` would only widen the first, and an `ask` would lift
 * the other list's denial of what it does not name: so what each does not name is denied in so many words.
 */
function pathsOfBoth(pinned: readonly PathRule[], current: readonly PathRule[]): PathRule[] {
  const added = current.filter(({ effect }) => effect !== "allow");
  return [
    ...pinned,
    ...added,
    ...unnamed(current, "no rule in force names it"),
    ...unnamed(pinned, "no rule named it when the run was asked for"),
  ];
}

/** What no rule of the list allows or asks about; `text` is the reason that is given. */
function unnamed(paths: readonly PathRule[], text: string): PathRule[] {
  const named = paths.filter(({ effect }) => effect !== "deny");
  const [first] = named;
  const denied = (globs: readonly string[], but: readonly PathRule[], rule: PathRule): PathRule => ({
    effect: "deny",
    globs,
    except: but.flatMap((one) => one.globs),
    from: null,
    rule: { at: rule.rule.at, text, why: null },
  });
  if (first === undefined) return [];
  const excepted = named.filter(({ except }) => except.length > 0);
  return [
    denied(["**"], named, first),
    ...excepted.map((rule) =>
      denied(
        rule.except,
        named.filter((other) => other !== rule),
        rule,
      ),
    ),
  ];
}

const distinct = <Item>(items: readonly Item[]): Item[] => [
  ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
];
