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

  test("what a way of the agent's to the relay starts while we push does not outlive the push", async () => {
    await sh(`printf '#!/bin/sh\nsetsid sleep 1000 >/dev/null 2>&1 &\nexec git receive-pack /tmp/relay.git\n' > /tmp/way
      chmod +x /tmp/way; git config protocol.ext.allow always
      git config url.ext::/tmp/way.pushInsteadOf ${repoUrl(sandbox, run.repo)}; echo more > file3`);
    expect(await commitAndPush(core, { sandbox, agent: null }, run, signal)).toEqual(SAVED);
    expect((await sh("git -C /tmp/relay.git show agent/7:file3")).out).toBe("more");
    expect((await sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 100[0]'")).out).toBe("0");
    await sh("git config --remove-section url.ext::/tmp/way");
  });

  test("filters that the agent configures do not run at all, whatever they are called", async () => {
    await sh(
      `for one in x 'a b.c=d'; do
        git config "filter.$one.clean" 'touch /tmp/filtered; echo cleaned'
        git config "filter.$one.smudge" 'touch /tmp/filtered; echo smudged'
        git config "filter.$one.required" true
      done
      git config filter.y.process 'touch /tmp/filtered; exit 1'; git config filter.y.required true
      printf '* filter=x\nfile4 filter=a=d\nfile5 filter=y\n' > .gitattributes
      git config 'filter.a=d.clean' 'touch /tmp/filtered; echo cleaned'
      for file in file3 file4 file5; do echo raw > $file; done`,
    );
    expect(await commitAndPush(core, { sandbox, agent: null }, run, signal)).toEqual(SAVED);
    const saved = await sh("for n in 3 4 5; do git -C /tmp/relay.git show agent/7:file$n; done; ls /tmp/filtered");
    expect(saved.out).toMatch(/^raw\nraw\nraw\n.*No such file/);
  });

  test("pointers of Git LFS are cloned and saved as pointers where the image has it too", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n";
    await sh(`git config --global filter.lfs.smudge 'if [ -n "$GIT_LFS_SKIP_SMUDGE" ]; then cat; else exit 1; fi'
      git config --global filter.lfs.clean 'touch /tmp/cleaned; echo of something else'
      git config --global filter.lfs.required true; rm -rf .git`);
    await sandbox.write("/tmp/pointer", pointer);
    const seeded = await sh(`rm -rf /tmp/again && export GIT_LFS_SKIP_SMUDGE=1 &&
      git clone -q -b agent/7 /tmp/relay.git /tmp/again && cd /tmp/again && git config filter.lfs.clean cat &&
      echo '*.bin filter=lfs diff=lfs merge=lfs -text' > .gitattributes && cp /tmp/pointer large.bin &&
      git add . && git commit -q -m pointer && git push -q /tmp/relay.git agent/7`);
    expect(seeded).toMatchObject({ code: 0 });
    expect(await checkout(sandbox, run.repo, run.branch, signal)).toBeNull();
    await sh("touch large.bin; echo beside > file6; cp /tmp/pointer another.bin");
    expect(await commitAndPush(core, { sandbox, agent: null }, run, signal)).toEqual(SAVED);
    const saved = await sh(`cd /tmp/relay.git; git show agent/7:large.bin | cmp - /tmp/pointer &&
      git show agent/7:another.bin | cmp - /tmp/pointer && git show --name-only --format= agent/7; ls /tmp/cleaned`);
    expect(saved.out).toMatch(/^another\.bin\nfile6\n.*No such file/);
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
