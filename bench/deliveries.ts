import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import { newId } from "#runs/ids.ts";
import { command, freePort } from "#test/command.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { filled } from "#test/doubles/github/repository.ts";
import { requested } from "#test/fixtures/run-events.ts";
import { openStage } from "#test/playground/stage.ts";
import { administer, startPostgres, withDatabase } from "#test/postgres.ts";
import { AGAIN_EVERY, burst, made, PULLS, REPO } from "./github-burst.ts";
import { type Bench, type Figures, type Measured, ratios, spread, tenth } from "./report.ts";
import { folder } from "./subject.ts";

const COUNT = 1_000;
const HANDLED_MS = 300_000;

/** What is claimed of a burst, however wide it comes. */
const GOALS = [{ figure: "p99 ms", most: 300 }] as const;
/** "50 at a time": GitHub's own senders are few. "all at once": every connection is open before the first is answered. */
const BURSTS = [
  { what: "50 at a time", width: 50 },
  { what: "all at once", width: COUNT + COUNT / AGAIN_EVERY },
] as const;

export const deliveries: Bench = {
  name: "deliveries",
  claim: "1,000 of GitHub's deliveries in a burst: answered p99 under 300 ms, none lost, each handled once",
  peer: "a bare @octokit/webhooks server that verifies and inserts one row (bench/bare-webhooks.ts)",
  async run() {
    const postgres = await startPostgres();
    const place = folder();
    try {
      await administer(postgres.url, "create database ours", "create database theirs");
      const urls = { ours: withDatabase(postgres.url, "ours"), theirs: withDatabase(postgres.url, "theirs") };
      return await compare(urls, place);
    } finally {
      await postgres.stop();
      rmSync(place, { recursive: true, force: true });
    }
  },
};

async function compare(urls: { ours: string; theirs: string }, place: string): Promise<Measured[]> {
  const double = await githubDouble({
    repos: { [REPO]: (gitDir) => filled(gitDir, { "README.md": "# Shop\n" }) },
    installed: [REPO],
    people: ["bo"],
  });
  const port = await freePort();
  const here = `http://127.0.0.1:${port}/slack`;
  const stage = await openStage({ eventsUrl: `${here}/events`, interactivityUrl: `${here}/interactivity` });
  const secret = double.webhookSecret.reveal();
  const bare = await bareWebhooks(urls.theirs, secret);
  try {
    const said = await stage.control("/message", { channel: "C0SHOP", user: "U0ANA", text: "Reviews come here." });
    await inReview(urls.ours, String(said.body.ts));
    const product = command(["serve"], settings({ double, port, place, url: urls.ours, slack: stage.url }));
    try {
      await product.says(/code {6}GitHub, as App/);
      const measured: Measured[] = [];
      for (const [round, { what, width }] of BURSTS.entries()) {
        const own = `http://127.0.0.1:${port}`;
        // Loaded code and open connections: what a service has that runs all day.
        for (const url of [bare.url, own]) await burst(url, secret, made(`w${round}`, 50), 10);
        const sent = made(`b${round}`, COUNT);
        const theirs = answeredIn(await burst(bare.url, secret, sent, width));
        const answers = answeredIn(await burst(own, secret, sent, width));
        const began = performance.now();
        await handledOnce(urls.ours, round);
        const ours = { ...answers, "handled after s": tenth((performance.now() - began) / 1_000) };
        measured.push({ what, ours, theirs, ratio: ratios(ours, theirs, ["p50 ms", "p99 ms"]), goals: GOALS });
      }
      return measured;
    } finally {
      await product.stop();
    }
  } finally {
    await bare.stop();
    await stage.close();
    await double.close();
  }
}

const settings = (o: { double: GithubDouble; port: number; place: string; url: string; slack: string }) => ({
  PORT: String(o.port),
  COUNTERSIGN_DATA: path.join(o.place, "data"),
  DATABASE_URL: o.url,
  LOG_LEVEL: "error",
  SLACK_BOT_TOKEN: "xoxb-for-tests",
  SLACK_SIGNING_SECRET: "signing-secret-for-tests",
  SLACK_API_URL: `${o.slack}/slack-api/`,
  ...o.double.settings(path.join(o.place, "app.pem")),
});

/** Runs whose pull requests are open, as if the product had made them. */
async function inReview(url: string, thread: string): Promise<void> {
  const database = await openDatabase(url);
  const orgId = await ensureOrg(database.db, "default");
  const { runs, people, events } = stores(database, { orgId });
  const { tx } = store(database.db);
  const requester = await tx((at) =>
    people.resolve(at, orgId, { provider: "slack", workspace: "T0LOCAL", id: "U0ANA" }, "Ana"),
  );
  for (let number = 1; number <= PULLS; number += 1) {
    await tx(async (at) => {
      const run = await runs.insert(at, {
        ...{ id: newId(new Date()), orgId, requestKey: `bench-${number}`, requester, repo: REPO, team: "shop" },
        ...{ branch: `agent/${number}`, text: "a change", because: "the bench", agent: "demo", model: "scripted" },
        policyDigest: "sha256:0",
        place: { provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread },
      });
      if (run === null) throw new Error(`run ${number} is there already`);
      const pull = { number, url: `https://github.com/${REPO}/pull/${number}` };
      await events.append(at, run.id, null, [
        requested(),
        { kind: "pull_request.opened", repo: REPO, ...pull, draft: true, oid: "a".repeat(40) },
      ]);
      await runs.move(at, run, "in_review", { pullRequest: pull, wakeAt: null });
    });
  }
  await database.close();
}

const answeredIn = (times: readonly number[]): Figures => {
  const { p50, p99, max } = spread(times);
  return { "p50 ms": p50, "p99 ms": p99, "max ms": max };
};

/** Resolves when every delivery of the round is in the record; throws when one is lost, or there twice. */
async function handledOnce(url: string, round: number): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const end = performance.now() + HANDLED_MS; performance.now() < end; await pause(100)) {
      const { rows } = await client.query<{ by: string; n: number }>(
        `select body->>'by' as by, count(*)::int as n from run_events
         where body->>'kind' in ('pull_request.reviewed', 'forge.checked') and body->>'by' like $1 group by 1`,
        [`b${round}-%`],
      );
      const twice = rows.filter(({ n }) => n > 1);
      if (twice.length > 0) throw new Error(`${twice.length} deliveries were handled twice: ${twice[0]?.by}`);
      const open = await client.query("select 1 from inbox where source = 'github' and done_at is null limit 1");
      if (rows.length === COUNT && open.rows.length === 0) return;
    }
    throw new Error(`not every delivery was handled within ${HANDLED_MS / 1_000} s`);
  } finally {
    await client.end();
  }
}

async function bareWebhooks(database: string, secret: string): Promise<{ url: string; stop(): Promise<void> }> {
  const child: ChildProcess = spawn(process.execPath, [path.join(import.meta.dirname, "bare-webhooks.ts")], {
    env: { PATH: process.env.PATH, DATABASE_URL: database, WEBHOOK_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return {
    url: line.toString("utf8").trim(),
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
