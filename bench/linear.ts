import { rmSync } from "node:fs";
import { chatOf } from "#test/chaos/chat.ts";
import { command, freePort } from "#test/command.ts";
import { codeForAna } from "#test/doubles/linear/code.ts";
import { linearDouble } from "#test/doubles/linear/double.ts";
import { openStage, TOKEN } from "#test/playground/stage.ts";
import { type Bench, type Measured, spread } from "./report.ts";
import { folder } from "./subject.ts";

const AT_ONCE = 50;
const ROUNDS = 4;

export const linear: Bench = {
  name: "linear",
  claim: "from a ticket's webhook to the first activity, fifty at once: p99 under two seconds, where Linear allows ten",
  peer: "nothing comparable: the bound is Linear's own",
  run: async () => [await measured()],
};

/** Each delegation is a run of its own, which asks a lead in Slack: everything that the first activity must not wait for. */
async function measured(): Promise<Measured> {
  const dataDir = folder();
  const port = await freePort();
  const here = `http://127.0.0.1:${port}`;
  const stage = await openStage({ eventsUrl: `${here}/slack/events`, interactivityUrl: `${here}/slack/interactivity` });
  const double = await linearDouble({ users: [{ name: "Ana" }], teams: ["SHOP"] });
  double.deliverTo(async (request) =>
    fetch(`${here}/linear/webhooks`, { method: "POST", headers: request.headers, body: await request.text() }),
  );
  const product = command(["serve"], {
    PORT: String(port),
    COUNTERSIGN_DATA: dataDir,
    LOG_LEVEL: "warn",
    SLACK_BOT_TOKEN: "xoxb-for-tests",
    SLACK_SIGNING_SECRET: "signing-secret-for-tests",
    SLACK_API_URL: `${stage.url}/slack-api/`,
    LINEAR_CLIENT_ID: double.client.id,
    LINEAR_CLIENT_SECRET: double.client.secret,
    LINEAR_WEBHOOK_SECRET: double.webhookSecret,
    LINEAR_API_URL: double.apiUrl,
  });
  try {
    await product.says(/tickets {3}Linear, in Acme/);
    const first = await double.delegate(double.issue("SHOP", "Link me", 'append "Hello." to README.md'), "Ana");
    await double.prompt(first, "Ana", await codeForAna(chatOf({ url: stage.url, token: () => TOKEN })));
    const question = (session: string) => double.sees(session, ({ content }) => /is no vote/.test(content.body ?? ""));
    await question(first.id);

    const samples: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const all = Array.from({ length: AT_ONCE }, async (_, n) => {
        const issue = double.issue("SHOP", `Ticket ${round} ${n}`, `append "Line ${round} ${n}." to README.md`);
        const began = Date.now();
        const session = await double.delegate(issue, "Ana");
        const { at } = await double.sees(session.id, () => true);
        return { ms: at - began, session: session.id };
      });
      const settled = await Promise.all(all);
      samples.push(...settled.map(({ ms }) => ms));
      // The next ones meet a service that has done its work, as in a team's day.
      await Promise.all(settled.map(({ session }) => question(session)));
    }
    if (double.problems.length > 0) throw new Error(double.problems.join("; "));
    const { p50, p99, max } = spread(samples);
    const ours = { "p50 ms": p50, "p99 ms": p99, "max ms": max };
    return {
      what: `PGlite, ${AT_ONCE} at once`,
      ours,
      theirs: null,
      ratio: {},
      goals: [{ figure: "p99 ms", most: 2_000 }],
    };
  } finally {
    await product.stop();
    await stage.close();
    await double.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
