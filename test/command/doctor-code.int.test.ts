import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { doctorCommand } from "#command/doctor.ts";
import { examinationsOf } from "#doctor.ts";
import { freePort } from "#test/command.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";

/** What `countersign doctor` says of GitHub: whether it knows the App, and which events the App does not tell of. */
const SLACK = { SLACK_BOT_TOKEN: "xoxb-for-tests", SLACK_APP_TOKEN: "xapp-for-tests" };

interface Report {
  readonly examined: readonly {
    readonly findings: readonly { level: string; id: string; what: string; fix: string | null }[];
  }[];
}

async function code(env: Readonly<Record<string, string>>) {
  const said: string[] = [];
  const examinations = examinationsOf({ ...SLACK, ...env }, "/nowhere").filter(({ of }) => of === "Code");
  const ended = await doctorCommand(["--json"], { examinations, out: (text) => said.push(text) });
  const { examined } = JSON.parse(said.join("")) as Report;
  return { ended, of: examined.flatMap(({ findings }) => findings) };
}

const settingsOf = (double: GithubDouble) => ({
  GITHUB_APP_ID: String(double.appId),
  GITHUB_APP_PRIVATE_KEY: double.privateKey.reveal(),
  GITHUB_API_URL: double.apiUrl,
  GITHUB_WEBHOOK_SECRET: double.webhookSecret.reveal(),
});

async function at<T>(o: Partial<Parameters<typeof githubDouble>[0]>, act: (double: GithubDouble) => Promise<T>) {
  const double = await githubDouble({ repos: {}, installed: [], people: [], ...o });
  try {
    return await act(double);
  } finally {
    await double.close();
  }
}

test("an App that GitHub knows, with all its events, is fine", async () => {
  await at({}, async (double) => {
    expect(await code(settingsOf(double))).toMatchObject({
      ended: 0,
      of: [
        { level: "ok", what: expect.stringMatching(/^GitHub knows App 4242 by its key as countersign-test/) },
        { level: "ok", id: "code.events" },
      ],
    });
  });
});

test("each event that the App does not subscribe to is named, with where to tick it", async () => {
  await at({ events: ["pull_request"] }, async (double) => {
    const { ended, of } = await code(settingsOf(double));
    expect([ended, of.map(({ level, id }) => `${level} ${id}`)]).toEqual([
      1,
      ["ok code", "wrong code.event.pull_request_review", "wrong code.event.check_suite"],
    ]);
    expect(of[1]).toMatchObject({
      what: expect.stringContaining("the event pull_request_review"),
      fix: expect.stringMatching(/"Subscribe to events".*\/apps\/countersign-test/),
    });
  });
});

test("without a webhook's secret a timer looks, and that is no mistake", async () => {
  await at({ events: [] }, async (double) => {
    const { ended, of } = await code({ ...settingsOf(double), GITHUB_WEBHOOK_SECRET: "" });
    expect([ended, of.map(({ id }) => id)]).toEqual([0, ["code", "code.webhook"]]);
  });
});

test("each permission that the App lacks is named", async () => {
  const permissions = { contents: "write", metadata: "read", pull_requests: "read" };
  await at({ permissions }, async (double) => {
    const { ended, of } = await code(settingsOf(double));
    expect([ended, of.length, of[0]?.level]).toEqual([1, 1, "wrong"]);
    expect(of[0]?.what).toMatch(/lacks checks: write, pull_requests: write: give it that under "Permissions"/);
  });
});

test("a GitHub that cannot be asked is said, and nothing is said to be known", async () => {
  const key = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  const { ended, of } = await code({
    ...{ GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY: key.toString() },
    GITHUB_API_URL: `http://127.0.0.1:${await freePort()}/api/v3`,
  });
  expect([ended, of.map(({ level, id }) => `${level} ${id}`)]).toEqual([1, ["wrong code.unasked"]]);
  expect(of[0]?.what).toMatch(/^GitHub could not be asked about App 7: /);
});
