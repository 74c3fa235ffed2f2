import { expect, test } from "vitest";
import { isPlainlyReadOnly } from "#images/demo/readonly.ts";

test.each([
  "ls",
  "ls -la src",
  "git status",
  "git diff --stat",
  "cat a.txt | grep x | wc -l",
  "git grep -nF -- 'a b'",
  'grep "x" a && pwd',
])("only looks: %s", (command) => {
  expect(isPlainlyReadOnly(command)).toBe(true);
});

test.each([
  "rm x",
  "ls > x",
  "ls; rm x",
  "ls && make",
  "cat `rm x`",
  "cat $(rm x)",
  'cat "$(rm x)"',
  "ls & rm x",
  "ls\nrm x",
  "git push",
  "git grep -O'rm x' a",
  "git diff --output=x",
  "git -c core.pager=x log",
  "find . -delete",
  "sed -i s/a/b/ x",
  "FOO=1 ls",
  "",
  "echo 'unclosed",
])("is asked about: %s", (command) => {
  expect(isPlainlyReadOnly(command)).toBe(false);
});
