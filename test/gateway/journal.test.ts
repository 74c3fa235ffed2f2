import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Journal, openJournal } from "#gateway/journal.ts";
import type { AuditLine } from "#ports/gateway.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "cs-journal-"));
  file = path.join(folder, "audit.jsonl");
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

test("lines come back in order, and a cursor goes on where it stood", async () => {
  const journal = await openJournal(file);
  await Promise.all(["a", "b", "c", "d"].map((id) => journal.append(line(id))));
  const first = await ids(journal, 0, 2);
  expect(first.ids).toEqual(["a", "b"]);
  expect((await ids(journal, first.next, 2)).ids).toEqual(["c", "d"]);
  await journal.close();
});

test("a reader that waits gets the next line", async () => {
  const journal = await openJournal(file);
  const waiting = ids(journal, 0, 1);
  await journal.append(line("later"));
  expect((await waiting).ids).toEqual(["later"]);
  await journal.close();
});

test("a line that was cut by a crash is dropped, and the cursors before it stay", async () => {
  const before = await openJournal(file);
  await before.append(line("a"));
  const { next } = await ids(before, 0, 1);
  await before.close();
  await appendFile(file, '{"id":"torn');
  const after = await openJournal(file);
  await after.append(line("b"));
  expect((await ids(after, next, 1)).ids).toEqual(["b"]);
  expect(await readFile(file, "utf8")).not.toContain("torn");
  await after.close();
});

test("a line is in the file when append resolves", async () => {
  const journal = await openJournal(file);
  await journal.append(line("now"));
  expect(await readFile(file, "utf8")).toContain('"id":"now"');
  await journal.close();
});

test("a disk that is full rejects the line instead of losing it quietly", async () => {
  const journal = await openJournal("/dev/full");
  await expect(journal.append(line("a"))).rejects.toMatchObject({ code: "ENOSPC" });
  await journal.close();
});

test("the past is every line that was there, once", async () => {
  const before = await openJournal(file);
  for (const id of ["a", "b", "c"]) await before.append(line(id));
  await before.close();
  const after = await openJournal(file);
  const seen: string[] = [];
  for await (const each of after.past()) seen.push(each.id);
  expect(seen).toEqual(["a", "b", "c"]);
  await after.close();
});
