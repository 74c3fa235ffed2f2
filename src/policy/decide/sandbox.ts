import type { SandboxLimit } from "#policy/limit.ts";
import type { SandboxWanted } from "#policy/scope.ts";
import { ISOLATION } from "#policy/shapes/limits.ts";

/** What a provider was seen to give. */
export interface SandboxOffer {
  readonly provider: string;
  readonly image: string;
  readonly isolation: "none" | "process" | "container" | "microvm";
  /** "none": the provider was not seen to hold a sandbox to it. */
  readonly limits: Readonly<Record<"cpu" | "memory" | "disk", "hard" | "advisory" | "none">>;
}

/** What keeps a sandbox from being what policy needs. */
export interface SandboxLack {
  readonly limit: SandboxLimit;
  /** A sentence that begins small and has no full stop. */
  readonly why: string;
}

/** Why a sandbox is not what policy needs; `null` when it is. */
export function sandboxLack(needs: SandboxWanted, offer: SandboxOffer): SandboxLack | null {
  const { provider, image, isolation, limits } = offer;
  if (!isAmong(provider, needs.providers)) {
    const why = `policy wants a sandbox at ${named(needs.providers)}, and this installation has ${provider}`;
    return { limit: "sandbox.provider", why };
  }
  if (!isAmong(image, needs.images)) {
    const why = `policy wants the image ${named(needs.images)}, and the agent's is ${image}`;
    return { limit: "sandbox.image", why };
  }
  if (strength(isolation) < strength(needs.isolation)) {
    const why = `policy wants ${needs.isolation} isolation, and ${provider} gives ${isolation}`;
    return { limit: "sandbox.isolation", why };
  }
  const sized = [
    ["sandbox.cpu", needs.cpu, limits.cpu, "processors"],
    ["sandbox.memory", needs.memoryBytes, limits.memory, "memory"],
    ["sandbox.disk", needs.diskBytes, limits.disk, "disk"],
  ] as const;
  const loose = sized.find(([, wanted, held]) => wanted !== null && held === "none");
  if (loose === undefined) return null;
  const [limit, , , what] = loose;
  return { limit, why: `policy limits the sandbox's ${what}, and ${provider} cannot hold it to that` };
}

const isAmong = (name: string, names: readonly string[] | null): boolean =>
  names !== null && (names.length === 0 || names.includes(name));

const named = (names: readonly string[] | null): string => names?.join(" or ") ?? "another than it did before";

const strength = (level: SandboxOffer["isolation"]): number => (level === "none" ? -1 : ISOLATION.indexOf(level));

/** What both want: the names that both allow, the stronger wall, the smaller of each size. */
export function sandboxOfBoth(a: SandboxWanted, b: SandboxWanted): SandboxWanted {
  const least = (key: "cpu" | "memoryBytes" | "diskBytes") => {
    const [one, other] = [a[key], b[key]];
    return one === null || other === null ? (one ?? other) : Math.min(one, other);
  };
  return {
    providers: inBoth(a.providers, b.providers),
    images: inBoth(a.images, b.images),
    isolation: strength(a.isolation) < strength(b.isolation) ? b.isolation : a.isolation,
    cpu: least("cpu"),
    memoryBytes: least("memoryBytes"),
    diskBytes: least("diskBytes"),
  };
}

function inBoth(a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null {
  if (a === null || b === null) return null;
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const left = a.filter((name) => b.includes(name));
  return left.length === 0 ? null : left;
}
