import { expect, test } from "vitest";
import { openLog } from "#log.ts";
import { redactor } from "#runs/redact.ts";

const written = (known: Record<string, string>) => {
  const lines: string[] = [];
  const redact = redactor(Object.entries(known).map(([name, value]) => ({ name, value })));
  return { lines, log: openLog({ level: "info", redact, out: { write: (line) => lines.push(line) } }) };
};

test("a secret in a line of the log is masked, in its words and in its fields, and the line stays JSON", () => {
  const { lines, log } = written({ slack_bot_token: "no-shape-of-its-own" });
  log("Slack refused no-shape-of-its-own", { sent: { headers: ["Bearer no-shape-of-its-own"] }, level: "error" });
  expect(lines).toHaveLength(1);
  expect(lines.join("")).not.toContain("no-shape");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    msg: "Slack refused [secret slack_bot_token]",
    sent: { headers: ["Bearer [secret slack_bot_token]"] },
  });
});

test("a secret that JSON writes in another way is masked too", () => {
  const value = 'first line\nsecond "line" \\ end';
  const { lines, log } = written({ private_key: value });
  log("it broke", { error: `cannot read ${value}` });
  expect(lines.join("")).not.toMatch(/first line|second/);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ error: "cannot read [secret private_key]" });
});

test("a token that nobody knew is masked by its shape", () => {
  const { lines, log } = written({});
  log("Slack gave xoxb-1234567890-abcdef, and xoxe-1-0123456789abcdef");
  expect(lines.join("")).not.toMatch(/1234567890|0123456789/);
});

test("what is below the level is not written", () => {
  const lines: string[] = [];
  const log = openLog({ level: "warn", redact: redactor([]), out: { write: (line) => lines.push(line) } });
  log("nothing of note");
  expect(lines).toEqual([]);
});
