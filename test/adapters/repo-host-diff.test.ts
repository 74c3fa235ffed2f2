import { expect, test } from "vitest";
import type { FileDiff } from "#adapters/repo-host/local/diff.ts";
import { parsePatch } from "#adapters/repo-host/local/diff.ts";
import { diffView } from "#adapters/repo-host/local/diff-view.ts";
import { pageLook } from "#surfaces/web/look.ts";

const patch = `diff --git a/a.txt b/a.txt
index 1..2 100644
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@ where
 one
-two
+--- a/two
 three
\\ No newline at end of file
diff --git a/b b/b
new file mode 100644
--- /dev/null
+++ b/b
@@ -0,0 +1 @@
+@@ -1 +1 @@
`;

test("lines get the numbers of both sides, and a line that looks like a header stays a line", () => {
  const [first, second] = parsePatch(patch);
  expect(first?.[0]?.lines.map(({ kind, old, now, text }) => [kind, old, now, text])).toEqual([
    ["same", 1, 1, "one"],
    ["deleted", 2, null, "two"],
    ["added", null, 2, "--- a/two"],
    ["same", 3, 3, "three"],
    ["note", null, null, "No newline at end of file"],
  ]);
  expect(second?.[0]?.lines).toEqual([{ kind: "added", old: null, now: 1, text: "@@ -1 +1 @@" }]);
});

const file = (o: Partial<FileDiff>): FileDiff => ({
  path: "a.txt",
  from: null,
  status: "modified",
  additions: 1,
  deletions: 0,
  notes: [],
  hunks: [],
  cut: false,
  ...o,
});
const lines = (n: number) => [
  {
    heading: "@@ -0,0 +1 @@",
    lines: Array.from({ length: n }, (_, i) => ({ kind: "added" as const, old: null, now: i + 1, text: `line ${i}` })),
  },
];
const view = (files: readonly FileDiff[]): string => diffView(pageLook, files, "git diff a b").toString();

test("names and lines are escaped, and what hides or reorders text is named", () => {
  const page = view([
    file({
      path: '"><script>.js',
      hunks: [
        {
          heading: "@@ <i>",
          lines: [{ kind: "added", old: null, now: 1, text: "</td><b>\u202e\u200b\u001b[31mred\u0007" }],
        },
      ],
    }),
  ]);
  expect(page).not.toMatch(/<script|<b>|<i>/);
  expect(page).toContain("&lt;/td&gt;&lt;b&gt;[U+202E][U+200B]red␇");
});

test("small files are open, large ones folded, huge ones named with the command that shows them", () => {
  const page = view([
    file({ hunks: lines(10) }),
    file({ path: "large.txt", hunks: lines(400) }),
    file({ path: "it's huge.txt", hunks: lines(2000) }),
  ]);
  expect(page.match(/<details class="diff" id="file-\d" open/g)).toHaveLength(1);
  expect(page).toContain(
    "2000 lines are too many to show here: <code>git diff a b -- &#39;it&#39;\\&#39;&#39;s huge.txt&#39;</code>",
  );
  expect(page.match(/<tr/g)?.length).toBe(412);
});

test("a page stops drawing lines before it is too long to read", () => {
  const page = view(Array.from({ length: 10 }, () => file({ hunks: lines(1400) })));
  expect(page.match(/too many to show here/g)).toHaveLength(6);
});

test("binary files, renames and cut files say what they are", () => {
  const page = view([
    file({ additions: null, deletions: null, notes: ["binary file"], status: "added" }),
    file({ from: "old.txt", path: "new.txt", status: "renamed" }),
    file({ cut: true, hunks: lines(1) }),
  ]);
  expect(page).toContain("added · binary file");
  expect(page).toContain("old.txt → new.txt");
  expect(page).toContain("this file ends early");
});
