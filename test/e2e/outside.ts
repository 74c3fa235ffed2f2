import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { gitText } from "#adapters/git.ts";
import { playgroundSeed } from "#playground/seed.ts";
import { type Chat, chatOf } from "#test/chaos/chat.ts";
import { BRANCHES, listed, type Places } from "#test/chaos/places.ts";
import { type Installation, installation } from "#test/chaos/product.ts";
import type { DaytonaDouble } from "#test/doubles/daytona/double.ts";
import { daytonaPlatform } from "#test/doubles/daytona/platform.ts";
import { postTo } from "#test/doubles/deliver.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { filledShop } from "#test/doubles/github/repository.ts";
import { type LinearDouble, linearDouble } from "#test/doubles/linear/double.ts";
import { linearSchemaFile } from "#test/doubles/linear/schema.ts";
import { type NeonDouble, neonDouble } from "#test/doubles/neon/proxy.ts";
import { unknownArguments } from "#test/doubles/slack/arguments.ts";
import { SIGN_IN, signInApp } from "#test/doubles/slack/sign-in.ts";
import { APP_TOKEN, openStage, type Stage, TOKEN } from "#test/playground/stage.ts";
import { administer, withDatabase } from "#test/postgres.ts";
import { frontDoor } from "./front-door.ts";

export const REPO = "acme/shop";
/** Ana's direct messages with us. */
const DIRECT = { id: "D0ANA", name: "ana", topic: "", members: ["U0ANA", "U0AGENT"], examples: [] };

/** Everything outside of the product that it has a client for, and two replicas of the product in the middle. */
export interface Outside extends AsyncDisposable {
  readonly house: Installation & { readonly second: NonNullable<Installation["second"]> };
  readonly chat: Chat;
  readonly slack: Stage;
  readonly linear: LinearDouble;
  readonly github: GithubDouble;
  readonly daytona: DaytonaDouble;
  readonly neon: NeonDouble;
  readonly places: Places;
  /** The replica that speaks to the sandboxes now, as each has a key of its own; `null`: nobody has yet. */
  holder(): "first" | "second" | null;
  /** What any of the vendors would have refused, in words; nothing when every request was one that they take. */
  refusals(): Promise<readonly string[]>;
}

const Call = z.looseObject({
  kind: z.string(),
  method: z.string().optional(),
  args: z.record(z.string(), z.unknown()).optional(),
  ok: z.boolean().optional(),
  error: z.string().optional(),
});

let isSaid = false;
/** Linear's schema is not ours to keep here (test/doubles/linear/schema.ts): whoever has it not hears what that leaves out. */
function sayWhatIsNotHeld(): void {
  if (linearSchemaFile !== null || isSaid) return;
  isSaid = true;
  process.stderr.write(
    "Linear's schema is not here: inputs of mutations are held to its SDK's types, queries and attachments to nothing. " +
      "Name its file with LINEAR_SCHEMA.\n",
  );
}

/** Opens all of it and starts both replicas. `server`: a Postgres of which Neon's double has the database `name`. */
export async function outside(o: { readonly server: string; readonly name: string }): Promise<Outside> {
  sayWhatIsNotHeld();
  await using opening = new AsyncDisposableStack();
  await administer(o.server, `create database ${o.name}`);
  const keys = mkdtempSync(path.join(tmpdir(), "countersign-whole-"));
  opening.defer(() => rmSync(keys, { recursive: true, force: true }));
  const neon = opening.use(await neonDouble(o.server));
  const door = opening.use(await frontDoor());
  // No address of ours: Slack's requests come over the sockets that both replicas hold.
  const slack = opening.adopt(
    await openStage({
      over: "socket",
      eventsUrl: "http://127.0.0.1:1/unused",
      seed: playgroundSeed([DIRECT]),
      openid: signInApp(door.url),
    }),
    (one) => one.close(),
  );
  const linear = opening.adopt(
    await linearDouble({
      users: [{ name: "Ana" }, { name: "Zed" }],
      teams: ["SHOP"],
      callbacks: () => [`${door.url}/identity/linear/callback`],
    }),
    (one) => one.close(),
  );
  const github = opening.adopt(
    await githubDouble({ repos: { [REPO]: filledShop() }, installed: [REPO], people: ["bo"] }),
    (one) => one.close(),
  );
  linear.deliverTo(postTo(`${door.url}/linear/webhooks`));
  github.deliverTo(postTo(`${door.url}/github/webhooks`));
  const platform = opening.adopt(await daytonaPlatform(), (one) => one.close());
  const daytona = platform.double;
  const house = opening.use(
    await installation({
      postgres: withDatabase(o.server, o.name),
      env: {
        PUBLIC_URL: door.url,
        DATABASE_URL: neon.at(o.name, { pooled: true }),
        NEON_WS_PROXY: neon.url,
        SLACK_BOT_TOKEN: "xoxb-for-tests",
        SLACK_APP_TOKEN: APP_TOKEN,
        SLACK_API_URL: `${slack.url}/slack-api/`,
        ...SIGN_IN,
        ...github.settings(path.join(keys, "app.pem")),
        ...linear.settings,
        ...platform.settings,
      },
      replica: { env: { DAYTONA_API_KEY: daytona.otherKey } },
    }),
  );
  door.spread(house.addresses);
  const { second } = house;
  if (second === null) throw new Error("there is no second replica");
  await house.first.start();
  await second.start();
  const parts = opening.move();
  return {
    house: { ...house, second },
    ...{ slack, linear, github, daytona, neon },
    chat: chatOf({ url: slack.url, token: () => TOKEN }),
    places: { sandboxes: daytona.sandboxes, published: (repo) => publishedAt(github, repo) },
    holder() {
      const last = daytona.seen.findLast(({ path: at }) => at.endsWith("/process/execute"));
      if (last === undefined) return null;
      return last.key === daytona.apiKey ? "first" : "second";
    },
    async refusals() {
      const { log } = z.object({ log: z.array(Call) }).parse((await slack.control("log")).body);
      const failed = log.filter(({ kind, ok }) => kind === "api" && ok === false);
      return [
        ...failed.map(({ method, error }) => `Slack: ${method} was refused: ${error}`),
        ...log.flatMap(({ kind, method = "", args = {} }) =>
          kind === "api" ? unknownArguments(method, args).map((one) => `Slack: ${method} has no argument ${one}`) : [],
        ),
        ...log.filter(({ kind }) => kind === "socket").map((one) => `Slack's socket: ${JSON.stringify(one)}`),
        ...linear.problems.map((one) => `Linear: ${one}`),
        ...github.problems.map((one) => `GitHub: ${one}`),
        ...daytona.invalid.map((one) => `Daytona: ${one}`),
        ...neon.problems.map((one) => `Neon: ${one}`),
      ];
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

const Pull = z.object({ number: z.number(), head: z.object({ ref: z.string(), sha: z.string() }) });

async function publishedAt(github: GithubDouble, repo: string) {
  const branches = listed(await gitText(github.git, [...BRANCHES], { gitDir: github.gitDir(repo) }));
  const pulls = z.array(Pull).parse(await github.as("bo")("GET", `/repos/${repo}/pulls?state=all&per_page=100`));
  return {
    branches,
    pulls: pulls.map(({ number, head }) => `${number} ${head.ref} ${head.sha}`),
  };
}
