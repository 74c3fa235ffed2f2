import { createHmac } from "node:crypto";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import published from "@octokit/webhooks-examples" with { type: "json" };

/** GitHub sends some of them a second time: one in so many. */
export const AGAIN_EVERY = 10;
export const PULLS = 100;
export const REPO = "acme/shop";
const PATH = "/github/webhooks";

export interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly body: string;
}

const examples = published as unknown as readonly {
  readonly name: string;
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}[];

function example(name: string, action: string): Readonly<Record<string, object>> {
  const found = examples.find((one) => one.name === name)?.examples.find((one) => one.action === action);
  if (found === undefined) throw new Error(`there is no example of ${name}.${action}`);
  return found as Readonly<Record<string, object>>;
}

/** Reviews and check suites in turn, GitHub's own examples with our names; whoever speaks is named by the delivery. */
export function made(prefix: string, count: number): readonly Delivery[] {
  const [review, suite] = [example("pull_request_review", "submitted"), example("check_suite", "completed")];
  const all = Array.from({ length: count }, (_, index): Delivery => {
    const [id, number] = [`${prefix}-${index}`, (index % PULLS) + 1];
    const repository = { ...(index % 2 === 0 ? review : suite).repository, full_name: REPO };
    if (index % 2 === 0) {
      const pull_request = { ...review.pull_request, number };
      const said = { ...review.review, state: "approved", user: { login: id }, html_url: `https://github.com/r/${id}` };
      const body = JSON.stringify({ ...review, repository, pull_request, review: said });
      return { id, event: "pull_request_review", body };
    }
    const base = { repo: { id: (suite.repository as { id?: number }).id } };
    const check_suite = {
      ...suite.check_suite,
      ...{ conclusion: "success", app: { id: 1, name: id }, pull_requests: [{ number, base }] },
    };
    return { id, event: "check_suite", body: JSON.stringify({ ...suite, repository, check_suite }) };
  });
  return all.flatMap((one, index) => (index % AGAIN_EVERY === 0 ? [one, one] : [one]));
}

/** Sends all of them, `width` at a time; how long each waited for its answer, in ms. Throws when one is not accepted. */
export async function burst(url: string, secret: string, sent: readonly Delivery[], width: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: width });
  const signed = sent.map((one) => ({
    ...one,
    signature: `sha256=${createHmac("sha256", secret).update(one.body).digest("hex")}`,
  }));
  const times: number[] = [];
  const left = signed.values();
  await Promise.all(
    Array.from({ length: Math.min(width, sent.length) }, async () => {
      for (const one of left) times.push(await post(url, agent, one));
    }),
  );
  agent.destroy();
  return times;
}

async function post(url: string, agent: Agent, one: Delivery & { readonly signature: string }): Promise<number> {
  const began = performance.now();
  const sending = request(`${url}${PATH}`, {
    method: "POST",
    agent,
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(one.body),
      "x-github-event": one.event,
      "x-github-delivery": one.id,
      "x-hub-signature-256": one.signature,
      "user-agent": "GitHub-Hookshot/bench",
    },
  });
  sending.end(one.body);
  const [answer] = (await once(sending, "response")) as [IncomingMessage];
  answer.resume();
  await once(answer, "end");
  if (answer.statusCode === undefined || answer.statusCode > 299)
    throw new Error(`${one.event} ${one.id} was answered ${answer.statusCode}`);
  return performance.now() - began;
}
