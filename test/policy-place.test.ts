import { describe, expect, test } from "vitest";
import { isOnForge, policyRepositoryOf } from "#policy-place.ts";

const read = (text: string) => policyRepositoryOf(text, null);

describe("a place of the policy", () => {
  test.each([
    ["https://git.example.com/acme/policies.git#main", ["acme/policies", "main", ""]],
    [
      "https://git.example.com/deep/er/acme/policies#release/2:org/policy",
      ["acme/policies", "release/2", "org/policy"],
    ],
    ["ssh://git@git.example.com/acme/policies#main:policies/", ["acme/policies", "main", "policies"]],
    ["git@git.example.com:acme/policies.git#main", ["acme/policies", "main", ""]],
    ["file:///srv/git/acme/policies.git#main", ["acme/policies", "main", ""]],
  ])("%s is a repository", (text, [repo, branch, folder]) => {
    expect(read(text)).toEqual({ url: text.replace(/#.*$/, ""), repo, branch, folder, token: null });
  });

  test("local:OWNER/NAME is one of the local git host", () => {
    expect(read("local:acme/policies#main")).toMatchObject({ url: null, repo: "acme/policies" });
  });

  test.each(["policies", "./a#b", "/srv/policies", "C:policies", "../x"])("%s is a folder", (text) => {
    expect(read(text)).toBeNull();
  });

  test.each([
    ["https://git.example.com/acme/policies", /without its branch/],
    ["https://git.example.com/acme/policies#", /without its branch/],
    ["https://git.example.com/acme/policies#-x", /without its branch/],
    ["https://git.example.com/acme/policies#main:../..", /without its branch/],
    ["https://git.example.com/acme/policies#a..b", /without its branch/],
    ["local:acme/policies", /without its branch/],
    ["https://bot:word@git.example.com/acme/policies#main", /COUNTERSIGN_POLICIES_TOKEN/],
    ["local:policies#main", /OWNER\/NAME/],
    ["local:../x/acme/policies#main", /OWNER\/NAME/],
  ])("%s is refused with the way out", (text, said) => {
    expect(read(text)).toMatch(said);
  });
});

describe("the forge of a repository", () => {
  const [github, enterprise] = ["https://github.com", "https://ghe.example.com"];
  test.each([
    ["https://github.com/acme/policies", github],
    ["https://github.com/acme/policies.git", github],
    ["https://github.com/acme/policies/", github],
    ["ssh://git@github.com/acme/policies.git", github],
    ["git@github.com:acme/policies.git", github],
    ["https://ghe.example.com/acme/policies", enterprise],
    ["git@ghe.example.com:acme/policies", enterprise],
  ])("of %s is %s", (url, webUrl) => {
    expect(isOnForge(url, "acme/policies", webUrl)).toBe(true);
  });

  test.each([
    ["https://git.example.com/acme/policies", github],
    ["https://github.com.example.com/acme/policies", github],
    ["https://github.com:8443/acme/policies", github],
    ["http://github.com/acme/policies", github],
    ["https://github.com/deep/acme/policies", github],
    ["https://github.com/acme/policies", enterprise],
    ["git@git.example.com:acme/policies.git", github],
    ["file:///srv/github.com/acme/policies.git", github],
  ])("of %s is not %s", (url, webUrl) => {
    expect(isOnForge(url, "acme/policies", webUrl)).toBe(false);
  });
});
