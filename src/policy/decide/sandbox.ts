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

/** Why a sandbox is not what policy needs, as a sentence; `null` when it is. */
export function sandboxLack(needs: SandboxNeeds, offer: SandboxOffer): string | null {
  const { provider, image, isolation, limits } = offer;
  if (needs.providers.length > 0 && !needs.providers.includes(provider)) {
    return `policy wants a sandbox at ${needs.providers.join(" or ")}, and this installation has ${provider}`;
  }
  if (needs.images.length > 0 && !needs.images.includes(image)) {
    return `policy wants the image ${needs.images.join(" or ")}, and the agent's is ${image}`;
  }
  const strength = (level: SandboxOffer["isolation"]) => (level === "none" ? -1 : ISOLATION.indexOf(level));
  if (strength(isolation) < strength(needs.isolation)) {
    return `policy wants ${needs.isolation} isolation, and ${provider} gives ${isolation}`;
  }
  const sized = [
    [needs.cpu, limits.cpu, "processors"],
    [needs.memoryBytes, limits.memory, "memory"],
    [needs.diskBytes, limits.disk, "disk"],
  ] as const;
  const loose = sized.find(([wanted, held]) => wanted !== null && held === "none");
  return loose === undefined ? null : `policy limits the sandbox's ${loose[2]}, and ${provider} cannot hold it to that`;
}
