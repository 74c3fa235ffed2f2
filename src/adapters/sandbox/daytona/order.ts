import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { digest } from "#policy/digest.ts";
import { SandboxError, type SandboxInfo, type SandboxSpec } from "#ports/sandbox.ts";
import type { Box, Size, VendorOrder } from "./vendor.ts";

/** Labels of ours. What is in them is readable for everybody in the organisation. */
export const LABELS = {
  installation: "countersign-installation",
  key: "countersign-key",
  spec: "countersign-spec",
  ttl: "countersign-ttl-ms",
} as const;

const PREFIX = "countersign-";
const MIB_IN_GIB = 1_024;
const MINUTE_MS = 60_000;

/** In what two specs must be the same to be the same sandbox. */
export const digestOf = ({ trust: _, token: __, ...spec }: SandboxSpec): string => digest(spec);

/** Throws "invalid" for labels that would pass for ours. */
export function checkLabels(labels: SandboxSpec["labels"]): void {
  const taken = Object.keys(labels).find((name) => name.startsWith(PREFIX));
  if (taken !== undefined) throw new SandboxError("invalid", `the label ${taken} is one of ours`);
}

/** What Daytona is asked for. Its names are unique in an organisation, so that two creates of one key cannot both win. */
export function orderOf(
  spec: SandboxSpec,
  o: {
    installation: string;
    base: { readonly snapshot: string } | { readonly image: string };
    gatewayUrl: string | null;
  },
): VendorOrder {
  const gateway = spec.gateway === null || o.gatewayUrl === null ? null : new URL(o.gatewayUrl).hostname;
  const name = createHash("sha256").update(`${o.installation}\0${spec.key}`).digest("hex").slice(0, 24);
  return {
    name: `${PREFIX}${name}`,
    base: "snapshot" in o.base ? o.base : { ...o.base, size: sizeOf(spec) },
    labels: {
      ...spec.labels,
      [LABELS.installation]: o.installation,
      [LABELS.key]: spec.key,
      [LABELS.spec]: digestOf(spec),
      [LABELS.ttl]: String(spec.ttlMs),
    },
    ttlMinutes: Math.ceil(spec.ttlMs / MINUTE_MS),
    reach: gateway === null ? null : isIP(gateway) === 0 ? { domain: gateway } : { address: gateway },
  };
}

/** In Daytona's whole numbers: a little more memory, so that nothing is killed early, and no disk beyond what is said. */
function sizeOf({ limits: { memoryMiB, cpus, diskMiB } }: SandboxSpec): Partial<Size> & Pick<Size, "memoryGiB"> {
  if (diskMiB !== undefined && diskMiB < MIB_IN_GIB)
    throw new SandboxError("policy_unenforceable", `Daytona's smallest disk is 1 GiB, and policy says ${diskMiB} MiB`);
  return {
    memoryGiB: Math.ceil(memoryMiB / MIB_IN_GIB),
    ...(cpus === undefined ? {} : { cpus }),
    ...(diskMiB === undefined ? {} : { diskGiB: Math.floor(diskMiB / MIB_IN_GIB) }),
  };
}

/**
 * Throws "policy_unenforceable" when what Daytona made has another size than was asked for: a snapshot has its own. Too
 * little memory fails a run, and too much of anything is a limit that nobody holds.
 */
export function checkSize({ size }: Box, spec: SandboxSpec): void {
  const { memoryGiB, cpus, diskGiB } = sizeOf(spec);
  const other = [
    ...(size.memoryGiB === memoryGiB ? [] : [`${size.memoryGiB} GiB of memory and not ${memoryGiB}`]),
    ...(cpus === undefined || size.cpus <= cpus ? [] : [`${size.cpus} processors and not ${cpus}`]),
    ...(diskGiB === undefined || size.diskGiB <= diskGiB ? [] : [`${size.diskGiB} GiB of disk and not ${diskGiB}`]),
  ];
  if (other.length === 0) return;
  const why = `the sandbox has ${other.join(", ")}: make a snapshot of that size, or name an image instead`;
  throw new SandboxError("policy_unenforceable", why);
}

export function infoOf(box: Box): SandboxInfo {
  const labels = Object.entries(box.labels).filter(([name]) => !name.startsWith(PREFIX));
  return {
    id: box.id,
    key: box.labels[LABELS.key] ?? "",
    labels: Object.fromEntries(labels),
    state: box.state === "over" || box.state === "failed" ? "stopped" : "running",
    createdAt: box.createdAt,
    expiresAt: box.expiresAt ?? new Date(box.createdAt.getTime() + Number(box.labels[LABELS.ttl] ?? 0)),
  };
}
