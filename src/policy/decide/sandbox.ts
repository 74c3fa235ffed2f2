import type { SandboxLimit } from "#policy/limit.ts";
import type { SandboxNeeds } from "#policy/scope.ts";
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
export function sandboxLack(needs: SandboxNeeds, offer: SandboxOffer): SandboxLack | null {
  const { provider, image, isolation, limits } = offer;
  if (needs.providers.length > 0 && !needs.providers.includes(provider)) {
    const why = `policy wants a sandbox at ${needs.providers.join(" or ")}, and this installation has ${provider}`;
    return { limit: "sandbox.provider", why };
  }
  if (needs.images.length > 0 && !needs.images.includes(image)) {
    const why = `policy wants the image ${needs.images.join(" or ")}, and the agent's is ${image}`;
    return { limit: "sandbox.image", why };
  }
  const strength = (level: SandboxOffer["isolation"]) => (level === "none" ? -1 : ISOLATION.indexOf(level));
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
