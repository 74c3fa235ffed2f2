import type { Ask } from "#policy/decision.ts";
import { durationMs } from "#policy/match/units.ts";
import type { AskDefaults } from "#policy/policy.ts";
import type { QuestionShape } from "#policy/shapes/rule.ts";

function listOf<Item>(value: Item | readonly Item[] | undefined): readonly Item[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly Item[]) : [value as Item];
}

function grantsOf(shape: QuestionShape["grants"]): Ask["grants"] {
  const word = shape?.for;
  const ms = word === undefined ? null : durationMs(word);
  const once = word === "once" || shape?.uses === 1;
  return { for: once ? "once" : "run", uses: once ? 1 : (shape?.uses ?? null), ms };
}

/** A question with every default filled in. */
export function askOf(shape: QuestionShape, defaults: AskDefaults): Omit<Ask, "rule"> {
  const ms = (text: string | undefined, otherwise: number) =>
    text === undefined ? otherwise : (durationMs(text) as number);
  return {
    from: shape.from as string,
    quorum: shape.quorum ?? defaults.quorum,
    self: shape.self ?? defaults.self,
    expiresMs: ms(shape.expires, defaults.expiresMs),
    remindMs: ms(shape.remind, defaults.remindMs),
    giveUpMs: ms(shape.give_up, defaults.giveUpMs),
    escalate:
      shape.escalate === undefined
        ? null
        : { afterMs: durationMs(shape.escalate.after) as number, to: shape.escalate.to },
    delegate: shape.delegate ?? false,
    binds: [...new Set(listOf(shape.binds))].sort(),
    assurance: shape.assurance ?? "chat",
    grants: grantsOf(shape.grants),
  };
}

function strictest(asks: readonly Ask[]): Ask {
  return asks.toSorted((a, b) => b.quorum - a.quorum || (a.rule.at < b.rule.at ? -1 : 1))[0] as Ask;
}

const least = (values: readonly (number | null)[]): number | null => {
  const given = values.filter((value) => value !== null);
  return given.length === 0 ? null : Math.min(...given);
};

/**
 * All asks of one request. Questions to the same group become one, the stricter of each part; the shortest expiry holds
 * for all of them, since they are put together.
 */
export function mergeAsks(asks: readonly Ask[]): Ask[] {
  const expiresMs = Math.min(...asks.map((ask) => ask.expiresMs));
  const groups = [...new Set(asks.map((ask) => ask.from))].sort();
  return groups.map((from) => {
    const same = asks.filter((ask) => ask.from === from);
    const once = same.some((ask) => ask.grants.for === "once");
    // Another group may only step in when every rule says so, and when the last of them does.
    const ways = same.map((ask) => ask.escalate);
    const [way] = ways;
    const escalate =
      way !== undefined && way !== null && ways.every((one) => one?.to === way.to)
        ? { to: way.to, afterMs: Math.max(...ways.map((one) => one?.afterMs ?? 0)) }
        : null;
    const paths = [...new Set(same.flatMap((ask) => ask.paths ?? []))].sort();
    return {
      from,
      ...(from === "codeowners" ? { paths } : {}),
      quorum: Math.max(...same.map((ask) => ask.quorum)),
      self: same.every((ask) => ask.self),
      expiresMs,
      remindMs: Math.min(...same.map((ask) => ask.remindMs)),
      giveUpMs: Math.min(...same.map((ask) => ask.giveUpMs)),
      escalate,
      delegate: same.every((ask) => ask.delegate),
      binds: [...new Set(same.flatMap((ask) => ask.binds))].sort(),
      assurance: same.some((ask) => ask.assurance === "step_up") ? "step_up" : "chat",
      grants: {
        for: once ? "once" : "run",
        uses: least(same.map((ask) => ask.grants.uses)),
        ms: least(same.map((ask) => ask.grants.ms)),
      },
      rule: strictest(same).rule,
    };
  });
}
