import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { playgroundSeed } from "#playground/seed.ts";
import { PlaygroundRefused, startPlayground } from "#playground/slack/playground.ts";
import { openStage, type Stage, TOKEN } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** fetch() will not send a false Host. */
function send(path: string, headers: Record<string, string>, method = "GET"): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request(`${stage.url}${path}`, { method, headers }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  })
    .on("error", reject)
    .end();
  return promise;
}

const PATHS = [
  "/",
  "/archives/C0SITE/p1",
  "/playground/state",
  "/playground/live",
  "/_control/users",
  "/slack-api/auth.test",
  "/slack-response/H1",
];

test.each(PATHS)("%s refuses a Host that is not this machine", async (path) => {
  const method = path.startsWith("/slack-r") ? "POST" : "GET";
  expect(await send(path, { host: "evil.example.com", "x-playground-token": TOKEN }, method)).toBe(403);
});

test.each(PATHS)("%s refuses another site's Origin", async (path) => {
  const method = path.startsWith("/slack-r") ? "POST" : "GET";
  expect(await send(path, { origin: "http://evil.example.com", "x-playground-token": TOKEN }, method)).toBe(403);
  expect(await send(path, { origin: "null", "x-playground-token": TOKEN }, method)).toBe(403);
});

test.each([
  "/",
  "/archives/C0SITE/p1",
  "/playground/state",
  "/playground/live",
  "/playground/app.js",
  "/_control/users",
])("%s needs the start token", async (path) => {
  expect(await send(path, {})).toBe(401);
  expect(await send(`${path}?token=wrong`, {})).toBe(401);
  expect(await send(path, { cookie: `countersign_start=${TOKEN}` })).toBe(401);
});

test("the printed address sets a strict cookie and leads on to the clean one", async () => {
  const first = await fetch(`${stage.url}/?token=${TOKEN}`, { redirect: "manual" });
  expect([first.status, first.headers.get("location")]).toEqual([303, "/"]);
  const cookie = first.headers.get("set-cookie") ?? "";
  expect(cookie).toMatch(/HttpOnly/);
  expect(cookie).toMatch(/SameSite=Strict/);
  expect(cookie).not.toContain(TOKEN);
  const headers = { cookie: cookie.split(";")[0] ?? "" };
  const page = await fetch(stage.url, { headers });
  expect(page.status).toBe(200);
  expect(page.headers.get("set-cookie")).toContain("playground_user=U0ANA");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect((await fetch(`${stage.url}/_control/users`, { headers })).status).toBe(200);
});

test("scripts may send the token in the query", async () => {
  expect((await fetch(`${stage.url}/_control/channels?token=${TOKEN}`)).status).toBe(200);
});

test("paths outside the playground are the product's own and need nothing of ours", async () => {
  expect(await send("/slack/events", { host: "evil.example.com" })).toBe(404);
});

test("files beside the page are not served", async () => {
  expect((await fetch(`${stage.url}/playground/..%2Fseed.ts?token=${TOKEN}`)).status).toBe(404);
});

test("bad input says what to send", async () => {
  expect(await stage.control("message", { channel: "C0SITE" })).toMatchObject({
    status: 400,
    body: { ok: false, error: expect.stringMatching(/^user: .*Send \{channel, user, text, thread_ts\?\}/) },
  });
  const post = (path: string, body: unknown) => stage.control(path, body).then(({ body }) => String(body.error));
  expect(await post("message", { channel: "C9", user: "U0ANA", text: "x" })).toContain("C0SITE (#website)");
  expect(await post("message", { channel: "C0SITE", user: "U0AGENT", text: "x" })).toContain("Act as a person");
  expect(await post("message", { channel: "C0SITE", user: "U0ANA", text: " " })).toBe("The text is empty.");
  expect(await post("message", { channel: "C0SITE", user: "U0ANA", text: "x", colour: 1 })).toContain("colour");
  expect(await post("view", { user: "U0ANA", view_id: "V1" })).toContain("no open modal");
  expect(await post("nothing", {})).toContain("No POST /_control/nothing here.");
});

test("it does not start beside real credentials", () => {
  const start = () =>
    startPlayground({
      dataDir: "/nonexistent/never-made",
      token: TOKEN,
      signingSecret: "s",
      botToken: "b",
      eventsUrl: "http://127.0.0.1/e",
      interactivityUrl: "http://127.0.0.1/i",
      seed: playgroundSeed(),
      realCredentials: ["SLACK_BOT_TOKEN"],
    });
  expect(start).toThrow(PlaygroundRefused);
  expect(start).toThrow("SLACK_BOT_TOKEN");
});
