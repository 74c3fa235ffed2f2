import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { doctorCommand } from "#command/doctor.ts";
import { examinationsOf } from "#doctor.ts";
import { linearDouble } from "#test/doubles/linear/double.ts";

/** What `countersign doctor` says of tickets: the app's access, its scopes, and whether policy routes any. */
const SLACK = { SLACK_BOT_TOKEN: "xoxb-for-tests", SLACK_APP_TOKEN: "xapp-for-tests" };
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "countersign-doctor-tickets-"));
  cpSync(path.resolve(import.meta.dirname, "../../policies"), folder, { recursive: true });
  const org = path.join(folder, "org.yaml");
  writeFileSync(org, readFileSync(org, "utf8").replace(/^ {2}linear: .*\n/m, ""));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WEBHOOK = "note: Which webhook and which of its events the app has is not looked at.";

interface Report {
  readonly examined: readonly { readonly findings: readonly { readonly level: string; readonly what: string }[] }[];
}

async function tickets(env: Readonly<Record<string, string>>) {
  const said: string[] = [];
  const examinations = examinationsOf(env, "/nowhere").filter(({ of }) => of === "Tickets");
  await doctorCommand(["--json"], { examinations, out: (text) => said.push(text) });
  const { examined } = JSON.parse(said.join("")) as Report;
  return examined.flatMap(({ findings }) => findings.map(({ level, what }) => `${level}: ${what}`));
}

test("without Linear there are none, and that is no mistake", async () => {
  expect(await tickets({})).toEqual(["note: No tickets: Linear is not set up."]);
});

test("an app that Linear takes is fine; a missing scope and a policy that routes no ticket are named", async () => {
  const linear = await linearDouble({ users: [], teams: [] });
  expect(await tickets({ ...SLACK, ...linear.settings })).toEqual([
    "ok: Linear takes our app, in Acme.",
    WEBHOOK,
    "note: People link their account of Linear with a code that they write on a ticket.",
  ]);
  await linear.close();
  const poor = await linearDouble({ users: [], teams: [], scopes: ["read", "app:mentionable"] });
  expect(await tickets({ ...SLACK, ...poor.settings, COUNTERSIGN_POLICIES: folder })).toEqual([
    "ok: Linear takes our app, in Acme.",
    "wrong: The Linear app lacks the scope write, so nothing can be said on a ticket.",
    "wrong: The Linear app lacks the scope app:assignable, so no ticket can be delegated to the app.",
    WEBHOOK,
    "wrong: The policy routes no team of Linear, so that no ticket becomes a run.",
    "note: People link their account of Linear with a code that they write on a ticket.",
  ]);
  await poor.close();
});

test("where people sign in at Linear the callback URL is named that its app needs", async () => {
  const linear = await linearDouble({ users: [], teams: [] });
  const said: string[] = [];
  const env = { ...SLACK, ...linear.settings, PUBLIC_URL: "https://agents.example.com" };
  const examinations = examinationsOf(env, "/nowhere").filter(({ of }) => of === "Tickets");
  expect(await doctorCommand([], { examinations, out: (text) => said.push(text) })).toBe(0);
  expect(said.join("\n")).toContain("which tells nobody the callback URLs of an app.");
  expect(said.join("\n")).toContain("see that https://agents.example.com/identity/linear/callback is one of them");
  await linear.close();
});

test("a secret that Linear refuses is said without it", async () => {
  const linear = await linearDouble({ users: [], teams: [] });
  const [said] = await tickets({ ...SLACK, ...linear.settings, LINEAR_CLIENT_SECRET: "hunter2" });
  expect(said).toMatch(/^wrong: Linear refuses LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET/);
  expect(said).not.toContain("hunter2");
  await linear.close();
});

test("what is not seen of a token that was made by hand is said", async () => {
  const linear = await linearDouble({ users: [], teams: [] });
  const { LINEAR_WEBHOOK_SECRET, LINEAR_API_URL } = linear.settings;
  const byHand = { LINEAR_WEBHOOK_SECRET, LINEAR_API_URL, LINEAR_ACCESS_TOKEN: linear.token() };
  expect((await tickets({ ...SLACK, ...byHand })).slice(0, 2)).toEqual([
    "ok: Linear takes our app, in Acme.",
    "note: LINEAR_ACCESS_TOKEN is used as it is: its scopes are not looked at, and nobody renews it.",
  ]);
  await linear.close();
});
