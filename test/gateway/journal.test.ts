import { appendFile, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Journal, type JournalOptions, openJournal } from "#gateway/journal.ts";
import type { AuditLine } from "#ports/gateway.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "cs-journal-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const line = (id: string): AuditLine => ({
  id,
  at: "2026-11-21T00:00:00.000Z",
  run: "r",
  sandbox: "s",
  kind: "closed",
  host: "h\u00e9.test",
  sentBytes: 1,
  receivedBytes: 2,
  durationMs: 3,
});
const LINE_BYTES = Buffer.byteLength(`${JSON.stringify(line("a"))}\n`);

/** Never rolls, unless told. */
const openWith = (o: Partial<JournalOptions> = {}): Promise<Journal> =>
  openJournal(folder, { rollBytes: Number.MAX_SAFE_INTEGER, retired: 0, retire: async () => undefined, ...o });

async function ids(journal: Journal, from: number, count: number): Promise<{ ids: string[]; next: number }> {
  const stop = new AbortController();
  const seen: string[] = [];
  let next = from;
  for await (const entry of journal.read(from, stop.signal)) {
    seen.push(entry.line.id);
    next = entry.next;
    if (seen.length === count) break;
  }
  return { ids: seen, next };
}

async function pastOf(journal: Journal): Promise<string[]> {
  const seen: string[] = [];
  for await (const each of journal.past()) seen.push(each.id);
  return seen;
}

const files = async () => (await readdir(folder)).sort();

test("lines come back in order, and a cursor goes on where it stood", async () => {
  const journal = await openWith();
  await Promise.all(["a", "b", "c", "d"].map((id) => journal.append(line(id))));
  const first = await ids(journal, 0, 2);
  expect(first.ids).toEqual(["a", "b"]);
  expect((await ids(journal, first.next, 2)).ids).toEqual(["c", "d"]);
  await journal.close();
});

test("a reader that waits gets the next line", async () => {
  const journal = await openWith();
  const waiting = ids(journal, 0, 1);
  await journal.append(line("later"));
  expect((await waiting).ids).toEqual(["later"]);
  await journal.close();
});

test("a line that was cut by a crash is dropped, and the cursors before it stay", async () => {
  const before = await openWith();
  await before.append(line("a"));
  const { next } = await ids(before, 0, 1);
  await before.close();
  await appendFile(path.join(folder, "audit.jsonl"), '{"id":"torn');
  const after = await openWith();
  await after.append(line("b"));
  expect((await ids(after, next, 1)).ids).toEqual(["b"]);
  expect(await readFile(path.join(folder, "audit.jsonl"), "utf8")).not.toContain("torn");
  await after.close();
});

test("a line is in the file when append resolves", async () => {
  const journal = await openWith();
  await journal.append(line("now"));
  expect(await readFile(path.join(folder, "audit.jsonl"), "utf8")).toContain('"id":"now"');
  await journal.close();
});

test("a disk that is full rejects the line instead of losing it quietly", async () => {
  await symlink("/dev/full", path.join(folder, "audit.jsonl"));
  const journal = await openWith();
  await expect(journal.append(line("a"))).rejects.toMatchObject({ code: "ENOSPC" });
  await journal.close();
});

test("the past is every line that was there, once", async () => {
  const before = await openWith();
  for (const id of ["a", "b", "c"]) await before.append(line(id));
  await before.close();
  const after = await openWith();
  expect(await pastOf(after)).toEqual(["a", "b", "c"]);
  await after.close();
});

test("a large file is followed by another, and cursors and readers do not notice", async () => {
  const journal = await openWith({ rollBytes: 2 * LINE_BYTES });
  const waiting = ids(journal, 0, 5);
  for (const id of ["a", "b", "c", "d", "e"]) await journal.append(line(id));
  expect(await waiting).toEqual({ ids: ["a", "b", "c", "d", "e"], next: 5 * LINE_BYTES });
  expect(await files()).toHaveLength(3);
  expect((await ids(journal, LINE_BYTES, 3)).ids).toEqual(["b", "c", "d"]);
  await journal.close();
  const again = await openWith({ rollBytes: 2 * LINE_BYTES });
  expect(await pastOf(again)).toEqual(["a", "b", "c", "d", "e"]);
  await again.append(line("f"));
  expect((await ids(again, 4 * LINE_BYTES, 2)).ids).toEqual(["e", "f"]);
  await again.close();
});

test("a file goes when all of it is acknowledged and retired, and never before", async () => {
  const retired: string[] = [];
  let upTo = 0;
  const retire: JournalOptions["retire"] = async (lines, to) => {
    for await (const each of lines) retired.push(each.id);
    upTo = to;
  };
  const rollBytes = 2 * LINE_BYTES;
  const journal = await openWith({ rollBytes, retire });
  for (const id of ["a", "b", "c", "d", "e"]) await journal.append(line(id));
  await journal.acknowledge(2 * LINE_BYTES - 1);
  expect([await files(), retired]).toEqual([expect.objectContaining({ length: 3 }), []]);
  await journal.acknowledge(3 * LINE_BYTES);
  expect([(await files()).length, retired, upTo]).toEqual([2, ["a", "b"], 2 * LINE_BYTES]);
  // Whoever is behind goes on with the first that is kept; whoever is ahead does not notice.
  expect((await ids(journal, 0, 3)).ids).toEqual(["c", "d", "e"]);
  expect((await ids(journal, 4 * LINE_BYTES, 1)).ids).toEqual(["e"]);
  await journal.close();
  const again = await openWith({ rollBytes, retire, retired: upTo });
  expect(await pastOf(again)).toEqual(["c", "d", "e"]);
  // What is being written stays, however much is acknowledged.
  await again.acknowledge(Number.MAX_SAFE_INTEGER);
  expect([await files(), retired]).toEqual([["audit.jsonl"], ["a", "b", "c", "d"]]);
  await again.append(line("f"));
  expect((await ids(again, 5 * LINE_BYTES, 1)).next).toBe(6 * LINE_BYTES);
  await again.close();
});

test("a reader in the middle of a file that goes reads it to its end", async () => {
  const journal = await openWith({ rollBytes: 2 * LINE_BYTES });
  for (const id of ["a", "b", "c"]) await journal.append(line(id));
  const reading = journal.read(0, new AbortController().signal);
  expect((await reading.next()).value).toMatchObject({ line: { id: "a" } });
  await journal.acknowledge(3 * LINE_BYTES);
  expect(await files()).toEqual(["audit.jsonl"]);
  expect((await reading.next()).value).toMatchObject({ line: { id: "b" } });
  expect((await reading.next()).value).toMatchObject({ line: { id: "c" }, next: 3 * LINE_BYTES });
  await reading.return(undefined);
  await journal.close();
});

test("what cannot be retired is kept, and the acknowledgement says so", async () => {
  const full = () => Promise.reject(new Error("no space"));
  const journal = await openWith({ rollBytes: LINE_BYTES, retire: full });
  await journal.append(line("a"));
  await journal.append(line("b"));
  await expect(journal.acknowledge(LINE_BYTES)).rejects.toThrow("no space");
  expect((await ids(journal, 0, 2)).ids).toEqual(["a", "b"]);
  await journal.close();
});

test("a death between retiring a file and removing it leaves nothing counted twice", async () => {
  const before = await openWith({ rollBytes: LINE_BYTES });
  for (const id of ["a", "b"]) await before.append(line(id));
  await before.close();
  const after = await openWith({ retired: LINE_BYTES });
  expect(await pastOf(after)).toEqual(["b"]);
  await after.append(line("c"));
  expect((await ids(after, 2 * LINE_BYTES, 1)).next).toBe(3 * LINE_BYTES);
  await after.close();
});

test("a death between naming the old file and making the new one loses nothing", async () => {
  const before = await openWith();
  await before.append(line("a"));
  await before.close();
  await rename(path.join(folder, "audit.jsonl"), path.join(folder, "audit-0000000000000000.jsonl"));
  const after = await openWith();
  await after.append(line("b"));
  expect(await ids(after, 0, 2)).toEqual({ ids: ["a", "b"], next: 2 * LINE_BYTES });
  await after.close();
});

test("a journal with a file missing from its middle is refused: its cursors would lie", async () => {
  await writeFile(path.join(folder, "audit-0000000000000777.jsonl"), "x\n");
  await expect(openWith()).rejects.toThrow("has a hole: audit-0000000000000777.jsonl should begin at byte 0");
});
