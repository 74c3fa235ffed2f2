import { timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";

/** Far above what a forge says of a push; the door is open to anyone who knows the address. */
const BODY_MOST_BYTES = 1024 * 1024;

/**
 * POST /policy/look: "the policy may have changed". Nothing in the body is believed or read; it only has to be signed, as
 * GitHub and Gitea sign (`X-Hub-Signature-256`), or to come with the secret itself (`Authorization: Bearer`,
 * `X-Gitlab-Token`). What is found then counts as any other look would have it.
 */
export function policyHook(o: {
  /** HMAC-SHA256 of a body under the secret. */
  readonly hmac: (body: string) => Buffer;
  readonly isSecret: (given: string) => boolean;
  /** Begins a look, unless one waits already. Must not throw. */
  readonly look: () => void;
}): Hono {
  return new Hono().post("/policy/look", bodyLimit({ maxSize: BODY_MOST_BYTES }), async (c) => {
    const body = await c.req.text();
    const signature = /^sha256=([0-9a-f]{64})$/.exec(c.req.header("x-hub-signature-256") ?? "")?.[1];
    const bearer = /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? c.req.header("x-gitlab-token");
    const signed = signature !== undefined && timingSafeEqual(Buffer.from(signature, "hex"), o.hmac(body));
    if (!signed && !(bearer !== undefined && o.isSecret(bearer))) return c.text("bad signature", 401);
    o.look();
    return c.text("looking", 202);
  });
}
