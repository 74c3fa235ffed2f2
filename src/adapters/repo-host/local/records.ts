import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";

/** Who did something on the host's own pages. */
export const Person = z.strictObject({ id: z.string(), name: z.string() });
export type Person = z.infer<typeof Person>;

export const RepositoryRecord = z.strictObject({
  name: z.string(),
  defaultBranch: z.string(),
  description: z.string(),
  /** Where it was imported from; `null` for one that began here. */
  source: z.string().nullable(),
});
export type RepositoryRecord = z.infer<typeof RepositoryRecord>;

/** Written once. The pull request exists when the branch's record names its number. */
export const OpenedRecord = z.strictObject({
  number: z.number().int().positive(),
  branch: z.string(),
  base: z.string(),
  draft: z.boolean(),
  headOid: z.string(),
  at: z.string(),
});
export type OpenedRecord = z.infer<typeof OpenedRecord>;

export const TextRecord = z.strictObject({ title: z.string(), body: z.string() });

export const BranchRecord = z.strictObject({ branch: z.string(), number: z.number().int().positive() });

/** The one decision a person takes on a pull request. Written once; taken back only when a merge could not land. */
export const DecisionRecord = z.strictObject({
  kind: z.enum(["merged", "closed"]),
  deliveryId: z.string(),
  by: Person,
  at: z.string(),
  headOid: z.string(),
  /** The base when the person decided, and after a merge. `null` when the branch was gone. */
  baseOid: z.string().nullable(),
  mergeOid: z.string().nullable(),
});
export type DecisionRecord = z.infer<typeof DecisionRecord>;

export const CheckRecord = z.strictObject({
  order: z.number(),
  at: z.string(),
  name: z.string(),
  conclusion: z.enum(["success", "failure", "neutral", "skipped"]),
  summary: z.string(),
});
export type CheckRecord = z.infer<typeof CheckRecord>;

/** A mark with a time: a decision has landed, a change has been told. */
export const MarkRecord = z.strictObject({ at: z.string() });

/** The record, or `null` when there is none. A record that is not what we write throws: it is never guessed at. */
export async function readRecord<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  return schema.parse(JSON.parse(text));
}

/** Durable when it resolves; a reader sees the old record or the new one, never a part. Folders are made. */
export async function replaceRecord(file: string, record: unknown): Promise<void> {
  const draft = await writeDraft(file, record);
  await rename(draft, file);
  await syncFolder(path.dirname(file));
}

/** As `replaceRecord`, but `false` when there is one already: of two writers exactly one is told `true`. */
export async function createRecord(file: string, record: unknown): Promise<boolean> {
  const draft = await writeDraft(file, record);
  try {
    await link(draft, file);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(path.dirname(file));
  return true;
}

export async function removeRecord(file: string): Promise<void> {
  await rm(file, { force: true });
  await syncFolder(path.dirname(file));
}

/** Names in a folder, without drafts; empty when there is no folder. */
export async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith(".")).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Makes the folder; `false` when it was there. Its name is durable when this resolves. */
export async function claimFolder(folder: string): Promise<boolean> {
  await mkdir(path.dirname(folder), { recursive: true });
  try {
    await mkdir(folder);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
  await syncFolder(path.dirname(folder));
  return true;
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeDraft(file: string, record: unknown): Promise<string> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true });
  const draft = path.join(folder, `.draft-${randomUUID()}`);
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(record, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;

export const isMissing = (error: unknown): boolean => hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR");
