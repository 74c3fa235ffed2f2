import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { lookRoutes } from "#decisions.ts";
import { Secret } from "#ports/secret.ts";

const SECRET = "webhook-secret";
const body = JSON.stringify({ ref: "refs/heads/main" });
const sign = (text: string, secret = SECRET) => `sha256=${createHmac("sha256", secret).update(text).digest("hex")}`;

function hook(look: () => Promise<void> = async () => undefined) {
  let looks = 0;
  const said: string[] = [];
  const routes = lookRoutes(
    new Secret("policies_webhook", SECRET),
    () => {
      looks += 1;
      return look();
    },
    (message) => said.push(message),
  );
  const post = (headers: Record<string, string>, text = body) =>
    routes.request("/policy/look", { method: "POST", headers, body: text });
  return { post, routes, looks: () => looks, said };
}

test.each([
  ["a signed body", { "x-hub-signature-256": sign(body) }],
  ["the secret as a bearer", { authorization: `Bearer ${SECRET}` }],
  ["the secret as another forge sends it", { "x-gitlab-token": SECRET }],
])("%s begins a look and nothing else", async (_what, headers: Record<string, string>) => {
  const { post, looks } = hook();
  const answer = await post(headers);
  expect([answer.status, await answer.text()]).toEqual([202, "looking"]);
  expect(looks()).toBe(1);
});

test.each([
  ["nothing", {}],
  ["a signature of another secret", { "x-hub-signature-256": sign(body, "other") }],
  ["a signature of another body", { "x-hub-signature-256": sign("{}") }],
  ["half a signature", { "x-hub-signature-256": sign(body).slice(0, 40) }],
  ["another secret", { authorization: "Bearer webhook-secret2" }],
  ["an empty secret", { "x-gitlab-token": "" }],
])("%s is refused and looks at nothing", async (_what, headers: Record<string, string>) => {
  const { post, looks } = hook();
  expect((await post(headers)).status).toBe(401);
  expect(looks()).toBe(0);
});

test("a body without end is cut short, and only POST is heard", async () => {
  const { post, routes, looks } = hook();
  expect((await post({ authorization: `Bearer ${SECRET}` }, "x".repeat(1024 * 1024 + 1))).status).toBe(413);
  expect((await routes.request("/policy/look", { headers: { authorization: `Bearer ${SECRET}` } })).status).toBe(404);
  expect(looks()).toBe(0);
});

test("a look that fails is said, and the forge is not troubled with it", async () => {
  const { post, said } = hook(() => Promise.reject(new Error("no disk")));
  expect((await post({ authorization: `Bearer ${SECRET}` })).status).toBe(202);
  await expect.poll(() => said).toEqual(["the policy could not be looked at"]);
});
