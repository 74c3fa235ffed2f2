import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TOKEN_HEADER } from "#playground/slack/paths.ts";
import type { JsonObject } from "#playground/slack/world.ts";
import { type Command, command } from "#test/command.ts";
import { answerGit } from "#test/doubles/github/git-http.ts";

/** `--repo`, again and again: a folder and the address of another machine's git, in one product. */

let folder: string;
const open: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "countersign-repos-"));
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** One commit that is called `words`; returns its folder, below our own. */
function repository(where: string, words: string): string {
  const at = path.join(folder, where);
  mkdirSync(at, { recursive: true });
  writeFileSync(path.join(at, "README.md"), "# Own\n");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: at });
  git("init", "--quiet", "--initial-branch=main");
  git("add", "-A");
  git("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "--quiet", "-m", words);
  return at;
}

/** Serves the bare repositories below a folder by git over HTTP; what was asked for is in `heard`. */
async function gitServer(root: string): Promise<{ url: string; heard: string[] }> {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://git.test");
    heard.push(`${request.method} ${url.pathname}`);
    void buffer(request).then((body) =>
      answerGit(request, response, { root, home: folder, url, body, done: () => Promise.resolve() }),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
}

function serve(...repos: readonly string[]): Command {
  const started = command(["serve", ...repos.flatMap((repo) => ["--repo", repo])], {
    PORT: "0",
    COUNTERSIGN_DATA: path.join(folder, "data"),
  });
  open.push(() => started.stop());
  return started;
}

test("a folder and a URL are served side by side, and a request says which it means", {
  timeout: 120_000,
}, async () => {
  const near = repository("near", "On this machine");
  execFileSync("git", [
    "clone",
    "--quiet",
    "--bare",
    repository("far", "Far away"),
    path.join(folder, "www", "far.git"),
  ]);
  const { url: git, heard } = await gitServer(path.join(folder, "www"));
  const started = serve(near, `${git}/far.git`);
  const [, url = "", token = ""] = await started.says(/open (http\S+)\/\?token=(\S+)/);
  expect(heard).toEqual(expect.arrayContaining(["GET /far.git/info/refs", "POST /far.git/git-upload-pack"]));

  const headers = { [TOKEN_HEADER]: token, "content-type": "application/json" };
  const read = async (at: string) => (await fetch(`${url}${at}`, { headers })).text();
  expect(await read("/code/local/near")).toContain("On this machine");
  expect(await read("/code/local/far")).toContain("Far away");
  for (const at of ["/code", "/code/local/near"])
    expect(await read(at)).toMatch(/<h1>[^<]* <span[^>]*>.*demo: scripted model.*<\/h1>/);

  const say = (text: string) =>
    fetch(`${url}/_control/message`, {
      method: "POST",
      headers,
      body: JSON.stringify({ channel: "C0YOURS", user: "U0ANA", text: `@agent ${text}` }),
    });
  const answers = async () =>
    (JSON.parse(await read("/_control/messages/C0YOURS")) as { messages: JsonObject[] }).messages
      .filter(({ user }) => user === "U0AGENT")
      .map((message) => JSON.stringify(message));
  await say("append a line to README.md");
  await expect.poll(answers, { timeout: 30_000 }).toEqual([expect.stringMatching(/local\/near.*local\/far/)]);
  await say("append a line to README.md repo=local/far");
  await expect.poll(() => read("/runs"), { timeout: 30_000 }).toMatch(/>append a line to README\.md<[\s\S]*local\/far/);
  expect(await started.stop()).toBe(0);
});

test("two sources of one name are refused in one line that names both", { timeout: 120_000 }, async () => {
  const started = serve(repository("one/work", "One"), repository("two/work", "Two"));
  const [said] = await started.says(/^countersign: --repo .*$|Countersign is ready/m);
  expect(said).toMatch(/\/two\/work cannot be served: local\/work is already here, from \S+\/one\/work$/);
  expect(await started.ended).toBe(1);
});

test("the same source twice is one repository", { timeout: 120_000 }, async () => {
  const near = repository("near", "On this machine");
  const started = serve(near, `${near}/`);
  await started.says(/open (http\S+)\/\?token=(\S+)/);
  expect(await started.stop()).toBe(0);
});
