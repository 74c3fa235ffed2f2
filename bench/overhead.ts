import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import type { RunEvent } from "#runs/event.ts";
import { type Bench, ratios, spread } from "./report.ts";
import { records, runOnce } from "./runs.ts";
import { folder, product } from "./subject.ts";

const RUNS = 10;
const run = promisify(execFile);

export const overhead: Bench = {
  name: "overhead",
  claim: "the control plane's own time in a run, from approval to pull request: under a second",
  peer: "the git work of a run by hand, outside of any sandbox: clone, commit, push, a second clone, two checkouts",
  async run() {
    const dataDir = folder();
    try {
      const peer = await work(dataDir);
      const split = (await records(dataDir)).map(partsOf);
      // The first run loads code, installs nothing and is nobody's daily run.
      const of = (name: keyof Parts) => spread(split.slice(1).map((one) => one[name])).p50;
      const ours = {
        "own p50 ms": of("own"),
        "own max ms": spread(split.slice(1).map((one) => one.own)).max,
        "wall p50 ms": of("wall"),
        "sandbox p50 ms": of("sandbox"),
        "agent p50 ms": of("agent"),
        "checks p50 ms": of("checks"),
        "own until working p50 ms": of("preparing"),
        "own while working p50 ms": of("working"),
        "own while checking p50 ms": of("checking"),
        "own while publishing p50 ms": of("publishing"),
      };
      const theirs = { "own p50 ms": spread(peer.slice(1)).p50, "own max ms": spread(peer.slice(1)).max };
      const goals = [{ figure: "own p50 ms", most: 1_000 }];
      return [{ what: "PGlite", ours, theirs, ratio: ratios(ours, theirs, ["own p50 ms"]), goals }];
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
};

/** Runs of the demo agent, one after the other, each from request to receipt; after each the peer. Its times in ms. */
async function work(dataDir: string): Promise<number[]> {
  await using subject = await product(null, dataDir);
  const repository = path.join(dataDir, "repos", "git", "acme", "shop.git");
  const times: number[] = [];
  for (let n = 0; n <= RUNS; n += 1) {
    await runOnce(subject, n);
    times.push(await byHand(repository, path.join(dataDir, "by-hand")));
  }
  return times;
}

/** What git itself costs for one run, with nothing around it. */
async function byHand(repository: string, place: string): Promise<number> {
  mkdirSync(place);
  const began = performance.now();
  const [work, check] = [path.join(place, "work"), path.join(place, "check")];
  const git = (at: string, ...words: string[]) =>
    run("git", ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-C", at, ...words]);
  await run("git", ["clone", "--quiet", repository, work]);
  writeFileSync(path.join(work, "bench.txt"), "one line\n");
  await git(work, "add", "--all");
  await git(work, "commit", "--quiet", "--message", "by hand");
  await run("git", ["init", "--quiet", "--bare", path.join(place, "relay.git")]);
  await git(work, "push", "--quiet", path.join(place, "relay.git"), "HEAD:refs/heads/agent/bench");
  await run("git", ["clone", "--quiet", repository, check]);
  await git(check, "checkout", "--quiet", "--detach", "HEAD");
  await git(check, "clean", "-ffdxq");
  await git(check, "pull", "--quiet", path.join(place, "relay.git"), "agent/bench");
  const took = performance.now() - began;
  rmSync(place, { recursive: true });
  return took;
}

/** One run's time in ms, taken apart. `own` is the rest of `wall`; the last four are its parts. */
interface Parts {
  readonly wall: number;
  readonly sandbox: number;
  readonly agent: number;
  readonly checks: number;
  readonly own: number;
  readonly preparing: number;
  readonly working: number;
  readonly checking: number;
  readonly publishing: number;
}

/**
 * From the yes to the pull request, by the record's own times. Not ours: making the two sandboxes, the agent's turn,
 * setup and checks. Ours: all the rest, which includes cloning and pushing inside the sandbox and starting the agent.
 */
function partsOf(events: readonly RunEvent[]): Parts {
  const at = (found: RunEvent | undefined): number => {
    if (!found) throw new Error("a run did not end in a pull request");
    return found.at.getTime();
  };
  const moved = (to: string) => at(events.find(({ body }) => body.kind === "run.moved" && body.to === to));
  const began = at(events.find(({ body }) => body.kind === "approval.voted" && body.choice === "approve"));
  const ended = at(events.find(({ body }) => body.kind === "pull_request.opened"));
  const agent =
    at(events.find(({ body }) => body.kind === "turn.ended")) -
    at(events.find(({ body }) => body.kind === "turn.started"));
  const sum = (pick: (body: RunEvent["body"]) => number) =>
    events.reduce((total, { body, at: when }) => total + (when.getTime() <= ended ? pick(body) : 0), 0);
  const made = (slot: string) => sum((body) => (body.kind === "sandbox.ready" && body.slot === slot ? body.ms : 0));
  const setup = sum((body) => (body.kind === "setup.ran" ? body.ms : 0));
  const checks = sum((body) => (body.kind === "check.ran" ? body.ms : 0)) + setup;
  const [working, checking, publishing] = [moved("working"), moved("checking"), moved("publishing")];
  const wall = ended - began;
  const sandbox = made("agent") + made("check");
  return {
    wall,
    sandbox,
    agent,
    checks,
    own: wall - sandbox - agent - checks,
    preparing: working - began - made("agent"),
    working: checking - working - agent,
    checking: publishing - checking - made("check") - checks,
    publishing: ended - publishing,
  };
}
