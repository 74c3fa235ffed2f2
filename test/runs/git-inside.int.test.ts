import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "#ports/sandbox.ts";
import type { Core } from "#runs/core.ts";
import { repoUrl } from "#runs/reach.ts";
import { redactor } from "#runs/redact.ts";
import type { Run } from "#runs/run.ts";
import { checkout } from "#runs/sandbox/prepare.ts";
import { commitAndPush } from "#runs/turn/finish.ts";
import { localBench, noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";

/** Of a run without authors: whom a commit credits is looked at elsewhere. */
const core = {
  redact: redactor([]),
  store: { tx: (work: (tx: unknown) => unknown) => work(null) },
  stores: { people: { authors: async () => [] } },
} as unknown as Core;
const run = {
  id: "01a1",
  number: 7,
  repo: "acme/shop",
  branch: "agent/7",
  baseOid: "",
  text: "fix it",
  requester: { id: "p1", name: "Ana" },
} as unknown as Run;
const signal = new AbortController().signal;

const SAVED = { oid: expect.stringMatching(/^[0-9a-f]{40}$/) };

describe.skipIf(noBubblewrap !== null)("git in an agent's hands", () => {
  let bench: Awaited<ReturnType<typeof localBench>>;
  let sandbox: Sandbox;
  const sh = async (line: string) => {
    const ran = await sandbox.exec({ argv: ["bash", "-c", line] }, { timeoutMs: 30_000 });
    return { code: ran.exitCode, out: (ran.stdout + ran.stderr).trim() };
  };

  beforeAll(async () => {
    bench = await localBench();
    const limits = { memoryMiB: 512, pids: 64 };
    const spec = { key: "git", image: "base", labels: {}, gateway: null, limits, ttlMs: 600_000 };
    sandbox = await bench.provider.create(spec, signal);
    // The relay, as far as these are concerned: a repository that git finds under the relay's address.
    await sandbox.write(
      `${sandbox.home}/.gitconfig`,
      `[user]\n\tname = Countersign\n\temail = a@b.invalid\n[url "/tmp/relay.git"]\n\tinsteadOf = ${repoUrl(sandbox, run.repo)}\n`,
    );
    await sh(`git init -q -b agent/7 /tmp/seed && cd /tmp/seed && seq 50 | while read n; do echo $n > file$n; done &&
      git add . && git commit -q -m seed && git clone -q --bare /tmp/seed /tmp/relay.git`);
  });
  afterAll(async () => {
    await bench.provider.destroy(sandbox.id);
    await bench.dispose();
  });

  test("a clone that was killed half-way is made again, whole", async () => {
    expect(
      await sh(`git clone -q --no-checkout ${repoUrl(sandbox, run.repo)} . && touch .git/index.lock`),
    ).toMatchObject({ code: 0 });
    expect(await checkout(sandbox, run.repo, run.branch, signal)).toBeNull();
    expect(await sh("ls | wc -l; git status --short")).toEqual({ code: 0, out: "50" });
    await sh("echo mine > file1");
    expect(await checkout(sandbox, run.repo, run.branch, signal)).toBeNull();
    expect((await sh("cat file1")).out).toBe("mine");
  });

  test("a clone waits for the one of a worker that is gone, which may still fail and clear the tree", async () => {
    const gone = sh(`exec 9>/tmp/countersign-clone.lock; flock 9; rm -rf .git; touch /tmp/at-it
      until [ -e /tmp/fail ]; do sleep 0.02; done; find . -mindepth 1 -delete`);
    await sh("until [ -e /tmp/at-it ]; do sleep 0.02; done");
    const cloned = checkout(sandbox, run.repo, run.branch, signal);
    // Until it is seen to wait, or to have gone ahead.
    await sh(`waits() { for one in /proc/[0-9]*/cmdline; do
        [ "$(tr '\\0' ' ' < "$one" 2>/dev/null)" = "flock 9 " ] && return; done; false; }
      until [ -e file50 ] || waits; do sleep 0.02; done; touch /tmp/fail`);
    await gone;
    expect(await cloned).toBeNull();
    expect(await sh("ls | wc -l; git status --short")).toEqual({ code: 0, out: "50" });
  });

  test("the lock of a git that was killed does not keep the work from being committed", async () => {
    await sh("echo yours > file1; touch .git/index.lock");
    expect(await commitAndPush(core, { sandbox, agent: null }, run, signal)).toEqual(SAVED);
    expect((await sh("git -C /tmp/relay.git show agent/7:file1")).out).toBe("yours");
  });

  test("a remote that the agent renamed, hooks and signing it set up do not matter", async () => {
    await sh(`git remote rename origin other; git config core.hooksPath /tmp/hooks; git config commit.gpgSign true
      mkdir -p /tmp/hooks; printf '#!/bin/sh\\ntouch /tmp/hooked; exit 1\\n' | tee /tmp/hooks/pre-commit /tmp/hooks/pre-push > /dev/null; chmod +x /tmp/hooks/*
      echo theirs > file2`);
    expect(await commitAndPush(core, { sandbox, agent: null }, run, signal)).toEqual(SAVED);
    expect((await sh("git -C /tmp/relay.git show agent/7:file2; ls /tmp/hooked")).out).toMatch(
      /^theirs\n.*No such file/,
    );
  });

  test("what a filter of the agent's starts while we commit does not outlive the commit", async () => {
    await sh(
      `git config filter.x.clean 'setsid sleep 1000 >/dev/null 2>&1 & cat'; echo '* filter=x' > .gitattributes; echo more > file3`,
    );
    await commitAndPush(core, { sandbox, agent: null }, run, signal);
    expect((await sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 100[0]'")).out).toBe("0");
  });

  test("without a repository the work is not called refused by policy", async () => {
    await sh("mv .git /tmp/kept");
    expect(await commitAndPush(core, { sandbox, agent: null }, run, signal)).toMatchObject({ what: "commit" });
    await sh("mv /tmp/kept .git");
  });

  test("a relay that does not answer is tried again, not taken for a refusal", async () => {
    await sh(
      "mv ~/.gitconfig /tmp/kept-config; git config user.name x; git config user.email x@y.invalid; echo again > file4",
    );
    await expect(commitAndPush(core, { sandbox, agent: null }, run, signal)).rejects.toThrow(/relay/);
    await sh("rm -rf .git");
    await expect(checkout(sandbox, run.repo, run.branch, signal)).rejects.toThrow(/relay/);
  });
});
