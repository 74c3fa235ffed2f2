import fc from "fast-check";
import { expect, test } from "vitest";
import { ownerOf, readCodeOwners } from "#policy/codeowners.ts";

function owners(text: string, path: string): readonly string[] {
  const read = readCodeOwners(text, "CODEOWNERS");
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.ownersOf(path);
}

/** GitHub's own example of a file, with the paths its comments speak of. */
const GITHUBS = `# This is a comment.
*       @global-owner1 @global-owner2

*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
`;

test.each([
  ["what nothing else names", "README.md", ["@global-owner1", "@global-owner2"]],
  ["a file by its ending, at any depth", "src/deep/cart.js", ["@js-owner"]],
  ["an address", "cmd/main.go", ["docs@example.com"]],
  ["a team", "notes/a.txt", ["@octo-org/octocats"]],
  ["a folder at the top, with all below it", "docs/build-app/troubleshooting.md", ["@doctocat"]],
  ["a folder at any depth", "web/apps/a/b.md", ["@octocat"]],
  ["logs in any folder, after an earlier line about one of them", "build/logs/today/out.md", ["@octocat"]],
  ["several owners", "scripts/run.sh", ["@doctocat", "@octocat"]],
  ["a line without owners takes them away", "apps/github/index.js", []],
] as const)("GitHub's own example: %s", (_what, path, expected) => {
  expect(owners(GITHUBS, path)).toEqual(expected);
});

test.each([
  ["docs/*", "docs/a.md", true],
  ["docs/*", "docs/sub/a.md", false],
  ["docs/*", "web/docs/a.md", false],
  ["docs/**", "docs/sub/a.md", true],
  ["docs/**", "docs", false],
  ["docs", "web/docs/a.md", true],
  ["docs", "docs", true],
  ["docs/", "docs", false],
  ["/docs", "docs/a/b.md", true],
  ["/docs", "web/docs/a.md", false],
  ["a/**/b", "a/b", true],
  ["a/**/b", "a/x/y/b/c.txt", true],
  ["a/**/b", "z/a/b", false],
  ["**", "x/y", true],
  ["**/logs", "logs/x", true],
  ["*.js", "a/b.js", true],
  ["*.js", "a/b.jsx", false],
  ["a?c.md", "abc.md", true],
  ["a?c.md", "ac.md", false],
  ["Docs/", "docs/a.md", false],
  ["with\\ space.md", "with space.md", true],
  ["/src/*/test", "src/a/test/one.js", true],
  ["/src/*/test", "src/a/b/test/one.js", false],
] as const)("%s names %s: %s", (pattern, path, named) => {
  expect(owners(`${pattern} @bo\n`, path)).toEqual(named ? ["@bo"] : []);
});

test("the last line that names a path decides, wherever the more exact one stands", () => {
  expect(owners("/src/cart.js @bo\n* @ana\n", "src/cart.js")).toEqual(["@ana"]);
  expect(owners("* @ana\n/src/cart.js @bo\n", "src/cart.js")).toEqual(["@bo"]);
});

test("a file without lines owns nothing", () => {
  expect(owners("", "a")).toEqual([]);
  expect(owners("# only words\n\n  \n", "a")).toEqual([]);
});

test("what GitHub would leave out in silence is said with its line", () => {
  const read = readCodeOwners(
    "* @ok\r\n!a @bo\r\n[Section] @bo\r\n*.[ch] @bo\r\na bo\r\n\\#x @bo\r\n/ @bo\r\na\\*b @bo\r\nx***y @bo\r\nb @a/b/c\r\n",
    ".github/CODEOWNERS",
  );
  expect(read.ok ? [] : read.problems.map(({ at, message }) => `${at} ${message}`)).toEqual([
    '.github/CODEOWNERS:2 the pattern "!a" negates, and a CODEOWNERS file cannot: name the exception below it, without owners',
    '.github/CODEOWNERS:3 the pattern "[Section]" is a section of another forge: GitHub has none',
    '.github/CODEOWNERS:4 the pattern "*.[ch]" has a range in brackets, which CODEOWNERS does not know',
    '.github/CODEOWNERS:5 "bo" is no owner - write @user, @org/team or an email address',
    '.github/CODEOWNERS:6 the pattern "\\#x" begins with an escaped #, which GitHub does not read as a path',
    '.github/CODEOWNERS:7 the pattern "/" names nothing: / alone matches no file',
    '.github/CODEOWNERS:8 the pattern "a\\*b" has a backslash that escapes no space',
    '.github/CODEOWNERS:9 the pattern "x***y" has three stars: ** is any depth',
    '.github/CODEOWNERS:10 "@a/b/c" is no owner - write @user, @org/team or an email address',
  ]);
});

test("an owner is a user, a team or an address, and nothing else", () => {
  expect(ownerOf("@octocat")).toEqual({ github_user: "octocat" });
  expect(ownerOf("@acme/payments-leads")).toEqual({ github_team: "acme/payments-leads" });
  expect(ownerOf("Docs@Example.com")).toEqual({ email: "docs@example.com" });
  for (const none of ["octocat", "@", "@-a", "@a/", "a@b", "@a b", "<a@b.c>"]) expect(ownerOf(none)).toBeNull();
});

test("no line is slow, and a later line that names a path always outweighs the earlier ones", () => {
  const name = fc.stringMatching(/^[a-c*?]{1,6}$/).filter((text) => !text.includes("***"));
  const pattern = fc
    .array(fc.oneof(name, fc.constant("**")), { minLength: 1, maxLength: 6 })
    .map((all) => all.join("/"));
  const path = fc.array(fc.stringMatching(/^[a-c]{1,6}$/), { minLength: 1, maxLength: 6 }).map((all) => all.join("/"));
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 8 }), pattern, path, (before, last, file) => {
      const earlier = before.map((one, n) => `${one} @p${n}\n`).join("");
      const alone = owners(`${last} @last\n`, file);
      const all = owners(`${earlier}${last} @last\n`, file);
      expect(all).toEqual(alone.length > 0 ? ["@last"] : owners(earlier, file));
    }),
    { numRuns: 500 },
  );
});
