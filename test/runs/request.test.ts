import { expect, test } from "vitest";
import { chooseRepository } from "#runs/request/request.ts";
import { relayWords } from "#runs/turn/finish.ts";

const OURS = ["acme/site"];
const THEIRS = ["acme/shop", "acme/reports"];

test("a request that names another team's repository is refused, not done on ours", () => {
  expect(chooseRepository(OURS, THEIRS, null, "in acme/shop, mend the cart")).toEqual({
    refused: { code: "unknown_repository", repo: "acme/shop", choices: OURS },
  });
});

test("what only looks like another repository's name is no name of it", () => {
  for (const text of ["mend src/acme/shop.js", "read acme/shop-front", "mend it"])
    expect(chooseRepository(OURS, THEIRS, null, text)).toMatchObject({ repo: "acme/site" });
});

test("a team with several repositories is asked which one is meant", () => {
  const two = ["acme/site", "acme/shop"];
  expect(chooseRepository(two, [], null, "mend it")).toMatchObject({ refused: { code: "no_repository" } });
  expect(chooseRepository(two, [], null, "mend acme/shop")).toMatchObject({ repo: "acme/shop" });
});

test("a refused push reads as the relay's words, without git's around them", () => {
  const said = [
    "remote: countersign: push refused by policy        ",
    'remote:   [path] scripts/a.js: "deny git.path **" at teams/marketing.yaml:14:5, marketing edits content (commit 1543a4f29185).        ',
    "To http://127.0.0.1:3128/git/acme/site.git",
    " ! [remote rejected] HEAD -> agent/098cb192 (pre-receive hook declined)",
  ].join("\n");
  expect(relayWords(said)).toBe("scripts/a.js (rule at teams/marketing.yaml:14:5), marketing edits content");
  expect(relayWords("fatal: no route\n")).toBe("fatal: no route");
});
