import { expect, test } from "vitest";
import { openConnections } from "#gateway/connections.ts";
import { openBills } from "#gateway/model/bills.ts";
import { LIMITS } from "#gateway/settings.ts";
import type { AuditBody, Wall } from "#gateway/wall.ts";
import type { AuditLine } from "#ports/gateway.ts";

/** A wall whose disk is full until it is not, which no file of a test can be. */
function wallOn(disk: { full: boolean; lines: AuditLine[] }): Wall {
  const journal = {
    async append(line: AuditLine) {
      if (disk.full) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      disk.lines.push(line);
    },
  };
  const world = { now: () => 0, limits: LIMITS };
  return { journal, world, connections: openConnections() } as unknown as Wall;
}

const usage = { usd: 1, inputTokens: 1, cachedTokens: 0, outputTokens: 1, calls: 1 };
const line = (model: string): AuditBody => ({
  ...{ kind: "model", run: "r", sandbox: "s", model, status: 200, usage, prices: "p", durationMs: 1 },
});

test("a line that cannot be written is kept, in its place, and nothing is said to be written until it is", async () => {
  const disk: { full: boolean; lines: AuditLine[] } = { full: true, lines: [] };
  const bills = openBills(wallOn(disk));
  const written: string[] = [];
  const told = (model: string) => async () => void written.push(model);
  expect(await bills.areWritten()).toBe(true);
  expect(await bills.write(line("a"), told("a"))).toBe(false);
  expect(await bills.areWritten()).toBe(false);
  disk.full = false;
  expect(await bills.write(line("b"), told("b"))).toBe(false);
  expect(await Promise.all([bills.areWritten(), bills.areWritten()])).toEqual([true, true]);
  expect(disk.lines.map((each) => each.kind === "model" && each.model)).toEqual(["a", "b"]);
  expect(written).toEqual(["a", "b"]);
  expect(await bills.write(line("c"), told("c"))).toBe(true);
});
