import { expect, test } from "vitest";
import { redacted, redactor } from "#runs/redact.ts";
import { judgeCheck } from "#runs/result/checks.ts";
import { parse } from "#runs/say.ts";
import { bodiesOf, type Heard, settle } from "#runs/transcript.ts";

const SAID: Record<string, [string, ReturnType<typeof parse>]> = {
  "an empty mention asks for help": ["", { kind: "help" }],
  "a command word alone is a command": ["Stop!", { kind: "stop" }],
  "a command word in a sentence is a task": [
    "stop the flaky test",
    { kind: "task", text: "stop the flaky test", repo: null, fresh: false },
  ],
  "repo= picks the repository and is no part of the task": [
    "fix the typo repo=acme/site please",
    { kind: "task", text: "fix the typo please", repo: "acme/site", fresh: false },
  ],
  "whoever is mentioned after delegate is to answer": ["delegate to @U0CY.", { kind: "delegate", to: "U0CY" }],
  "delegate needs no to": ["Delegate @U0CY", { kind: "delegate", to: "U0CY" }],
  "delegate with a name that is no mention names nobody": ["delegate to Cy", { kind: "delegate", to: null }],
  "delegating something is a task": [
    "delegate retries to @U0CY's queue",
    { kind: "task", text: "delegate retries to @U0CY's queue", repo: null, fresh: false },
  ],
  "link alone asks what is linked": ["Link.", { kind: "accounts", what: "link", place: null }],
  "link names a place": ["link my GitHub account", { kind: "accounts", what: "link", place: "github" }],
  "unlink takes one back": ["unlink linear", { kind: "accounts", what: "unlink", place: "linear" }],
  "linking something is a task": [
    "link the docs to github",
    { kind: "task", text: "link the docs to github", repo: null, fresh: false },
  ],
  "new forces a new run": ["new fix it", { kind: "task", text: "fix it", repo: null, fresh: true }],
};
for (const [sentence, [text, said]] of Object.entries(SAID)) test(sentence, () => expect(parse(text)).toEqual(said));

const VERDICTS: [string, number | null, number | null, number | null, string][] = [
  ["green on both is green", 0, 0, null, "green"],
  ["red before and green now is fixed", 1, 0, null, "fixed"],
  ["green before and red twice now is broken by the change", 0, 1, 1, "broke"],
  ["green before and red once now is flaky", 0, 1, 0, "flaky"],
  ["red before and now was red already", 1, 2, null, "already_red"],
  ["what could not run is not green", 0, null, null, "not_run"],
  ["what could not run before and is red now was not red already", null, 1, null, "not_run"],
  ["what could not run before and is green now is green", null, 0, null, "green"],
  ["what could run neither before nor now is not green", null, null, null, "not_run"],
];
for (const [sentence, base, head, again, verdict] of VERDICTS) {
  test(sentence, () => expect(judgeCheck(base, head, again)).toBe(verdict));
}

const KEY = "sup3r-secret-value";
const redact = redactor([{ name: "model", value: KEY }]);

test("a known secret is replaced in every form it is likely to be printed in", () => {
  for (const form of [
    KEY,
    encodeURIComponent(`${KEY}`),
    Buffer.from(KEY).toString("base64"),
    Buffer.from(KEY).toString("hex"),
  ]) {
    expect(redact(`before ${form} after`)).toBe("before [secret model] after");
  }
});

test("a credential nobody told us of is replaced by its shape", () => {
  expect(redact(`token ghp_${"a".repeat(36)} end`)).toBe("token [secret github-token] end");
  expect(redact(`lin_oauth_${"a1".repeat(16)}, lin_api_${"B2".repeat(20)}`)).toBe(
    "[secret linear-token], [secret linear-token]",
  );
  expect(redact(`it is cslink_${"Wy".repeat(30)}.${"a".repeat(43)}!`)).toBe("it is [secret link-code]!");
});

test("a secret in the name of a field is replaced too, and no field hides another", () => {
  const base64 = Buffer.from(KEY).toString("base64");
  const input = { [KEY]: "rm -rf /", [base64]: { [`x-${KEY}`]: [`y ${KEY}`] }, "[secret model] 2": "as it was" };
  expect(redacted({ kind: "execute", input }, redact)).toEqual({
    kind: "execute",
    input: {
      "[secret model]": "rm -rf /",
      "[secret model] 2": { "x-[secret model]": ["y [secret model]"] },
      "[secret model] 2 2": "as it was",
    },
  });
});

test("a text that ends in the beginning of a secret is held until more has come, at every cut", () => {
  for (let cut = 4; cut < KEY.length; cut += 1) expect(redact.open(`x ${KEY.slice(0, cut)}`), `cut ${cut}`).toBe(true);
  expect(redact.open("an ordinary end")).toBe(false);
});

const heard = (events: Heard["event"][]): Heard[] => events.map((event, index) => ({ cursor: index + 1, event }));

test("a secret that arrives in two pieces is recorded as one redacted text, at every cut", () => {
  for (let cut = 4; cut < KEY.length; cut += 1) {
    const events = heard([
      { kind: "tool.output", tool: "t", text: `key=${KEY.slice(0, cut)}` },
      { kind: "tool.output", tool: "t", text: `${KEY.slice(cut)}\n` },
    ]);
    const first = settle(events.slice(0, 1), { final: false, open: redact.open });
    expect(first.ready).toEqual([]);
    const second = settle([...first.held, ...events.slice(1)], { final: false, open: redact.open });
    const bodies = bodiesOf(second.ready);
    expect(bodies).toHaveLength(1);
    expect(redact(JSON.stringify(bodies))).not.toContain(KEY.slice(0, 10));
  }
});

test("a message is recorded whole when it is over, not in crumbs", () => {
  const crumbs = heard([
    { kind: "agent.message", text: "Hel" },
    { kind: "agent.message", text: "lo" },
  ]);
  expect(settle(crumbs, { final: false, open: redact.open })).toEqual({ ready: [], held: crumbs });
  const next: Heard = { cursor: 3, event: { kind: "tool.ended", tool: "t", status: "ok", exitCode: 0 } };
  expect(bodiesOf(settle([...crumbs, next], { final: false, open: redact.open }).ready)).toEqual([
    { kind: "agent.said", text: "Hello" },
    { kind: "tool.ended", tool: "t", status: "ok", exitCode: 0 },
  ]);
});
