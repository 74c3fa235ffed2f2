import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openKeys } from "#adapters/secrets/keys.ts";
import { bindInstallation } from "#db/installation.ts";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { command, freePort } from "#test/command.ts";
import { openStage, type Stage } from "#test/playground/stage.ts";
import { freshDatabase } from "#test/postgres.ts";

/** What a person has to mend is one line with the fix and an exit code, and nothing is left behind or running. */
interface Refusal {
  /** Makes the trouble; what it returns goes into the environment. `data`: the data folder, which is not there yet. */
  readonly trouble?: (data: string) => Promise<Record<string, string>> | Record<string, string>;
  readonly args?: readonly string[];
  readonly says: RegExp;
  readonly code: 1 | 2;
  /** What was in the data folder before and still is, by name. Nothing else is made. */
  readonly leaves?: readonly string[];
  /** Found out when parts were open already: they are closed, and their files stay for the next start. */
  readonly late?: true;
}

let folder: string;
let open: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "countersign-start-"));
});
afterEach(async () => {
  for (const close of open.reverse()) await close();
  open = [];
  rmSync(folder, { recursive: true, force: true });
});

async function stage(): Promise<Stage> {
  const opened = await openStage();
  open.push(() => opened.close());
  return opened;
}

const file = (where: string, content: string): string => {
  mkdirSync(path.dirname(where), { recursive: true });
  writeFileSync(where, content);
  return where;
};

const slack = { SLACK_BOT_TOKEN: "xoxb-wrong", SLACK_SIGNING_SECRET: "s" };
const isRoot = process.getuid?.() === 0;
const keys = (data: string) => path.join(data, "keys");
const KEPT = ["receipts.pem", "tokens.key"];

const REFUSALS: Record<string, Refusal> = {
  "a port that is taken": {
    trouble: async () => ({ PORT: String(await takenPort()) }),
    says: /^countersign: port (\d+) is taken: stop what uses it, or start with another: PORT=\d+ npm start$/,
    code: 1,
  },
  "a PORT that is no number": {
    trouble: () => ({ PORT: "http" }),
    says: /^countersign: the environment cannot be used: PORT is not a number$/,
    code: 1,
  },
  "every variable that is wrong, at once": {
    trouble: () => ({ PORT: "70000", DATABASE_URL: "mysql://x" }),
    says: /^countersign: the environment cannot be used: PORT .*; DATABASE_URL must begin with postgres:\/\//,
    code: 1,
  },
  "a data folder that is a file": {
    trouble: (data) => ({ COUNTERSIGN_DATA: file(`${data}.txt`, "mine") }),
    says: /^countersign: the data folder \S+\.txt is not a folder: move it away, or name another with COUNTERSIGN_DATA=\/path$/,
    code: 1,
  },
  "a data folder below a file": {
    trouble: (data) => ({ COUNTERSIGN_DATA: path.join(file(`${data}.txt`, "mine"), "data") }),
    says: /^countersign: the data folder \S+ cannot be made, since \S+\.txt is not a folder: .*COUNTERSIGN_DATA=\/path$/,
    code: 1,
  },
  "a data folder that cannot be written": {
    trouble: (data) => {
      if (isRoot) return { COUNTERSIGN_DATA: "/proc/countersign" };
      mkdirSync(`${data}-shut`, { mode: 0o500 });
      return { COUNTERSIGN_DATA: path.join(`${data}-shut`, "data") };
    },
    says: /^countersign: the data folder \S+ cannot be written: make it yours \(chown\), or name another with COUNTERSIGN_DATA=\/path$/,
    code: 1,
  },
  "a policy with a misspelt key": {
    trouble: (data) => ({
      COUNTERSIGN_POLICIES: path.dirname(file(`${data}-policies/org.yaml`, "version: 1\nkind: org\nruels: []\n")),
    }),
    says: /^countersign: the policy in \S+ is broken:[\s\S]*org\.yaml:3:1 /,
    code: 1,
  },
  "a policy folder that is not there": {
    trouble: (data) => ({ COUNTERSIGN_POLICIES: `${data}-nowhere` }),
    says: /^countersign: the policy in \S+-nowhere is broken: /,
    code: 1,
  },
  "a database that is down": {
    trouble: async () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${await freePort()}/x` }),
    says: /^countersign: the database of DATABASE_URL cannot be used: Postgres at 127\.0\.0\.1:\d+\/x does not let us in: .*ECONNREFUSED.*Check DATABASE_URL\.$/,
    code: 1,
  },
  "real credentials beside the local page": {
    trouble: () => ({ LINEAR_API_KEY: "lin_1" }),
    says: /^countersign: LINEAR_API_KEY: real credentials, and on the local Slack page one person acts as everybody/,
    code: 1,
  },
  "a bot token that Slack refuses": {
    trouble: async () => ({ ...slack, SLACK_API_URL: `${(await stage()).url}/slack-api/` }),
    says: /^countersign: Slack refuses SLACK_BOT_TOKEN \(.*invalid_auth\): copy the Bot User OAuth Token/,
    code: 1,
  },
  "a Slack that cannot be reached": {
    trouble: async () => ({ ...slack, SLACK_API_URL: `http://127.0.0.1:${await freePort()}/` }),
    says: /^countersign: the Slack workspace cannot be used: /,
    code: 1,
  },
  "Daytona without an address for the gateway": {
    trouble: () => ({ DAYTONA_API_KEY: "dtn_secret" }),
    says: /^countersign: a hosted sandbox cannot reach the gateway: it listens on this machine only, .*: Run the gateway where the internet can reach it .*COUNTERSIGN_GATEWAY_URL=\S+, or unset DAYTONA_API_KEY/,
    code: 1,
  },
  "a gateway's address that is a laptop's, beside Daytona": {
    trouble: () => ({ DAYTONA_API_KEY: "dtn_secret", COUNTERSIGN_GATEWAY_URL: "https://127.0.0.1:8443" }),
    says: /^countersign: a hosted sandbox cannot reach the gateway at https:\/\/127\.0\.0\.1:8443: 127\.0\.0\.1 is an address of this machine itself, .*: Run the gateway /,
    code: 1,
  },
  "a key that others can read": {
    trouble: (data) => {
      openKeys(keys(data));
      chmodSync(path.join(keys(data), "receipts.pem"), 0o644);
      return {};
    },
    says: /^countersign: \S+receipts\.pem can be read by others \(mode 644\): run `chmod 600 \S+receipts\.pem`$/,
    code: 1,
    leaves: ["keys"],
  },
  "a start token that others can read": {
    trouble: (data) => {
      openKeys(keys(data)).text("start");
      chmodSync(path.join(keys(data), "start.txt"), 0o640);
      return {};
    },
    says: /^countersign: \S+start\.txt can be read by others \(mode 640\): run `chmod 600 \S+start\.txt`$/,
    code: 1,
    leaves: ["keys"],
  },
  "a key that is no key": {
    trouble: (data) => {
      openKeys(keys(data));
      writeFileSync(path.join(keys(data), "receipts.pem"), "nonsense");
      return {};
    },
    says: /^countersign: \S+receipts\.pem is damaged: restore it from a backup, or move it away and a new one is made$/,
    code: 1,
    leaves: ["keys"],
  },
  "an empty start token, which everybody knows": {
    trouble: (data) => {
      openKeys(keys(data)).text("start");
      truncateSync(path.join(keys(data), "start.txt"));
      return {};
    },
    says: /^countersign: \S+start\.txt is damaged: /,
    code: 1,
    leaves: ["keys"],
  },
  "a chat of the local page that is damaged": {
    trouble: (data) => {
      file(path.join(data, "playground", "journal.jsonl"), '{"op":\n{}\n');
      return {};
    },
    says: /^countersign: Line 1 of \S+journal\.jsonl is damaged\. Delete the file to begin with an empty playground\.$/,
    code: 1,
    late: true,
  },
  "a second machine, with a data folder of its own over one database": {
    trouble: async () => {
      const { url, drop } = await freshDatabase();
      open.push(drop);
      const database = await openDatabase(url);
      await bindInstallation(database.db, await ensureOrg(database.db, "default"), "ed25519:1111111111111111");
      await database.close();
      return { DATABASE_URL: url };
    },
    says: /^countersign: this database belongs to the installation with the key ed25519:1{16}, and the data folder has the key ed25519:\w+: start with COUNTERSIGN_DATA=.*, or give this one another DATABASE_URL$/,
    code: 1,
    late: true,
  },
  "a gateway that cannot start": {
    trouble: (data) => {
      file(path.join(data, "gateway"), "not a folder");
      return {};
    },
    says: /^countersign: the gateway does not start: .*Its log: \S+gateway\.log$/,
    code: 1,
    late: true,
  },
  "a repository that is not there": {
    args: ["--repo", "/nowhere/at/all"],
    says: /^countersign: --repo \/nowhere\/at\/all cannot be served: /,
    code: 1,
    late: true,
  },
  "an option that does not exist": {
    args: ["--rpeo", "x"],
    says: /^countersign: Unknown option '--rpeo'/,
    code: 2,
  },
  "a role that does not exist": {
    args: ["--roles", "web,wroker"],
    says: /^countersign: --roles takes web, worker, gateway, separated by commas, not "web,wroker"$/,
    code: 2,
  },
};

/** What every start makes, in the order of its parts; what a late failure may leave. */
const MADE = [
  "keys",
  "database",
  "database.lock",
  "sandboxes",
  "gateway",
  "gateway.log",
  "repos",
  "images",
  "playground",
];

describe("serve refuses", () => {
  for (const [sentence, { trouble, args = [], says, code, leaves = [], late = false }] of Object.entries(REFUSALS)) {
    test(`${sentence}: one line, ${late ? "all closed again" : "nothing made"}`, { timeout: 120_000 }, async () => {
      const data = path.join(folder, "data");
      const env = { PORT: "0", COUNTERSIGN_DATA: data, ...(await trouble?.(data)) };
      const started = command(["serve", ...args], env);
      open.push(() => started.stop());
      expect(await started.ended, started.words()).toBe(code);
      expect(told(started.words())).toMatch(says);
      expect(told(started.words())).not.toMatch(/\n\s+at /);
      expect(started.words()).not.toContain("secret");
      const kept = existsSync(env.COUNTERSIGN_DATA) && env.COUNTERSIGN_DATA === data ? readdirSync(data) : [];
      expect(kept.filter((name) => !(late ? MADE : leaves).includes(name))).toEqual([]);
      expect(existsSync(path.join(data, "database.lock"))).toBe(false);
      expect(processesOf(env.COUNTERSIGN_DATA)).toEqual([]);
    });
  }

  test("a data folder that another process serves, and leaves that one alone", { timeout: 120_000 }, async () => {
    const env = { PORT: "0", COUNTERSIGN_DATA: path.join(folder, "data") };
    const first = command(["serve"], env);
    open.push(() => first.stop());
    const [, url = ""] = await first.says(/open (http\S+)\/\?token/);
    const second = command(["serve"], env);
    expect(await second.ended).toBe(1);
    expect(told(second.words())).toMatch(/^countersign: Process \d+ has the database \S+ open.*Stop that process/);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(await first.stop()).toBe(0);
    expect(processesOf(env.COUNTERSIGN_DATA)).toEqual([]);
  });
});

test("a command that does not exist is answered with those that do", async () => {
  const asked = command(["sreve"]);
  expect(await asked.ended).toBe(2);
  expect(asked.words()).toMatch(/^countersign: there is no command "sreve"\.\n\n[\s\S]*countersign serve/);
});

test("keys that were made for the table are those that a start makes", () => {
  openKeys(keys(folder));
  expect(readdirSync(keys(folder)).sort()).toEqual(KEPT);
});

async function takenPort(): Promise<number> {
  const holder: Server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  open.push(() => new Promise((resolve) => holder.close(resolve)));
  const address = holder.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** What was said to the person: without the log's lines, and without the word that it takes a while. */
const told = (words: string): string =>
  words
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("{") && !line.startsWith("countersign: starting."))
    .join("\n");

/** Processes that were started for this data folder and still run. */
function processesOf(data: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, "utf8").split("\0").includes(`COUNTERSIGN_DATA=${data}`);
    } catch {
      return false; // It has ended meanwhile, or it is not ours to read.
    }
  });
}
