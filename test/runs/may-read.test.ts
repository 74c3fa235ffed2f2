import fc from "fast-check";
import { expect, test } from "vitest";
import type { Account, ExternalId } from "#ports/directory.ts";
import { mayRead, type Reading } from "#runs/may-read.ts";

const account = (id: string): ExternalId => ({ provider: "slack", workspace: "T1", id });
const person = (id: string, kind: Account["kind"] = "member"): Account => ({
  ...account(id),
  name: id,
  kind,
  email: null,
});
const RUN = {
  place: [account("ANA"), account("CY")],
  asked: [account("BO")],
  auditors: [account("EVE")],
};
const reads = (who: Account, o: Partial<Reading> = {}) => mayRead({ viewer: who, ...RUN, ...o });

test.each([
  ["who could read what was asked", "CY", "place"],
  ["whoever is asked about it, wherever they are", "BO", "asked"],
  ["an auditor", "EVE", "auditor"],
  ["and nobody else", "DAN", null],
] as const)("a run is read by %s", (_who, id, as) => {
  expect(reads(person(id))).toBe(as);
});

test("guests, bots, people of elsewhere and those who have left read nothing, whatever group they are in", () => {
  for (const kind of ["guest", "external", "bot", "deactivated"] as const) {
    for (const id of ["ANA", "CY", "BO", "EVE"]) expect(reads(person(id, kind))).toBeNull();
  }
});

test("the same id on another workspace is somebody else", () => {
  expect(reads({ ...person("EVE"), workspace: "T2" })).toBeNull();
});

test("a group that cannot be read lets nobody in, and does not keep out who has another reason", () => {
  expect(reads(person("EVE"), { auditors: null })).toBeNull();
  expect(reads(person("CY"), { place: null })).toBeNull();
  expect(reads(person("BO"), { place: null, auditors: null })).toBe("asked");
});

test("whoever reads is in one of the groups, and being an auditor never takes anything away", () => {
  const ids = fc.uniqueArray(fc.constantFrom("ANA", "BO", "CY", "DAN", "EVE"));
  fc.assert(
    fc.property(ids, ids, ids, fc.constantFrom("ANA", "BO", "CY", "DAN", "EVE"), (p, q, u, who) => {
      const groups = { place: p.map(account), asked: q.map(account), auditors: u.map(account) };
      const as = mayRead({ viewer: person(who), ...groups });
      expect(as !== null).toBe([p, q, u].some((group) => group.includes(who as never)));
      if (as === "auditor") expect([p, q].some((group) => group.includes(who as never))).toBe(false);
    }),
  );
});
