import { reports } from "./reports.ts";
import type { Sample } from "./sample.ts";
import { shop } from "./shop.ts";
import { site } from "./site.ts";

/** A git host that can be given a repository as data. Nothing happens, and it says `false`, when the name is taken. */
export interface SeedHost {
  createRepository(name: string, seed: Omit<Sample, "name">): Promise<boolean>;
}

export const SAMPLES: readonly Sample[] = [shop, site, reports];

/** Makes the sample repositories that are not there yet; those that are stay as people left them. */
export async function seedRepositories(host: SeedHost): Promise<void> {
  for (const { name, ...seed } of SAMPLES) await host.createRepository(name, seed);
}
