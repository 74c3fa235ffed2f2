import { gitText } from "#adapters/git.ts";
import { closePull, mergePull } from "#adapters/repo-host/local/decide.ts";
import { gitDirOf } from "#adapters/repo-host/local/ground.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import { systemClock } from "#ports/clock.ts";

/** Opens, merges and closes pull requests until it is killed. Prints "told <delivery> <number>" for each change it takes. */
const [dir = "", from = "0"] = process.argv.slice(2);
const repo = "acme/shop";
const host = await localRepoHost({
  dir,
  baseUrl: "http://127.0.0.1/code",
  clock: systemClock,
  onChange: async (change) => void process.stdout.write(`told ${change.deliveryId} ${change.number}\n`),
  onFailure: (error) => process.stdout.write(`failed ${String(error)}\n`),
});
await host.start();
const gitDir = gitDirOf(host.ground, repo);
const env = {
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@b",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@b",
};
process.stdout.write("ready\n");
for (let i = Number(from); ; i += 1) {
  const branch = `agent/${i}`;
  const tree = await gitText(host.ground.git, ["rev-parse", "main^{tree}"], { gitDir });
  const oid = await gitText(host.ground.git, ["commit-tree", tree, "-p", "main", "-m", branch], { gitDir, env });
  await host.push({ repo, branch, oid, expected: null, gitDir });
  const of = { repo, branch, base: "main", draft: true, title: branch, body: "" };
  const { number, headOid } = await host.openPullRequest(of);
  process.stdout.write(`opened ${number} ${branch}\n`);
  const press = { repo, number, headOid, by: { id: "U0BO", name: "Bo" } };
  const done = i % 3 === 0 ? await closePull(host.ground, press) : await mergePull(host.ground, press);
  process.stdout.write(`decided ${number} ${done.kind}\n`);
  await host.tell();
}
