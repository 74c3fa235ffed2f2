import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { RunEvent } from "#runs/event.ts";
import type { DaytonaDouble } from "#test/doubles/daytona/double.ts";
import { daytonaPlatform } from "#test/doubles/daytona/platform.ts";
import { type Bench, type Figures, ratios, spread } from "./report.ts";
import { records, runOnce } from "./runs.ts";
import { folder, product } from "./subject.ts";

const RUNS = 8;

export const daytona: Bench = {
  name: "daytona",
  claim: "what a sandbox at Daytona adds to the start of a run, and how many calls of its API a run takes",
  peer: "the same product with sandboxes on this machine; Daytona is the double of the tests, over sandboxes on this machine too",
  async run() {
    const place = folder();
    try {
      const peer = startsOf(await local(place));
      const { records: own, calls, creates } = await hosted(place);
      const ours = {
        ...startsOf(own),
        "API calls per run p50": spread(calls).p50,
        "API calls per run max": spread(calls).max,
        "sandboxes per run": creates,
      };
      const ratio = ratios(ours, peer, ["start p50 ms"]);
      const goals = [{ figure: "start p50 ms" }, { figure: "API calls per run p50" }];
      return [{ what: "from the yes to the agent's turn", ours, theirs: peer, ratio, goals }];
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  },
};

async function local(place: string): Promise<RunEvent[][]> {
  const dataDir = made(place, "local");
  {
    await using subject = await product(null, dataDir);
    for (let n = 0; n <= RUNS; n += 1) await runOnce(subject, n);
  }
  return records(dataDir);
}

/** The first run sends the agent's image over and is left out of the calls. */
async function hosted(place: string) {
  const dataDir = made(place, "hosted");
  const platform = await daytonaPlatform();
  const { double } = platform;
  const calls: number[] = [];
  let before = 0;
  try {
    {
      await using subject = await product(null, dataDir, platform.settings);
      await runOnce(subject, 0);
      before = createsIn(double);
      for (let n = 1; n <= RUNS; n += 1) {
        const seen = double.seen.length;
        await runOnce(subject, n);
        calls.push(double.seen.length - seen);
      }
    }
    if (double.invalid.length > 0) throw new Error(double.invalid.join("\n"));
    return { records: await records(dataDir), calls, creates: (createsIn(double) - before) / RUNS };
  } finally {
    await platform.close();
  }
}

const createsIn = ({ seen }: DaytonaDouble): number =>
  seen.filter(({ method, path: at }) => method === "POST" && at === "/api/sandbox").length;

/** From the yes to the agent's turn, by the record's own times. The first run loads code, and is nobody's daily run. */
function startsOf(runs: readonly (readonly RunEvent[])[]): Figures {
  const at = (found: RunEvent | undefined): number => {
    if (!found) throw new Error("a run did not begin");
    return found.at.getTime();
  };
  const starts = runs.slice(1).map((events) => {
    const yes = at(events.find(({ body }) => body.kind === "approval.voted" && body.choice === "approve"));
    return at(events.find(({ body }) => body.kind === "turn.started")) - yes;
  });
  const sandboxes = runs
    .slice(1)
    .flatMap((events) =>
      events.flatMap(({ body }) => (body.kind === "sandbox.ready" && body.slot === "agent" ? [body.ms] : [])),
    );
  return {
    "start p50 ms": spread(starts).p50,
    "start max ms": spread(starts).max,
    "sandbox p50 ms": spread(sandboxes).p50,
  };
}

function made(place: string, name: string): string {
  const folder = path.join(place, name);
  mkdirSync(folder, { mode: 0o755 });
  return folder;
}
