import { expect, test } from "vitest";
import { gatewayProblem } from "#adapters/sandbox/daytona/gateway-url.ts";
import { calmly } from "#adapters/sandbox/daytona/patience.ts";
import { daytonaSandboxes } from "#adapters/sandbox/daytona/provider.ts";
import { VendorError } from "#adapters/sandbox/daytona/vendor.ts";
import { calls, PART, type Question } from "#hosted/calls.ts";
import type { Answer } from "#hosted/runner.ts";
import { Secret } from "#ports/secret.ts";
import { wrongInUpload } from "#test/doubles/daytona/models.ts";

const CLOUD = "https://app.daytona.io/api";
const NAMES: Record<string, string[]> = {
  "gateway.example.com": ["203.0.113.10"],
  "my-laptop.local": ["192.168.1.7"],
  localhost: ["127.0.0.1"],
  "app.daytona.io": ["203.0.113.99"],
  "daytona.internal": ["10.0.0.5"],
};
async function resolve(host: string): Promise<readonly string[]> {
  const found = NAMES[host] ?? (/^[\d.]+$/.test(host) ? [host] : null);
  if (found === null) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
  return found;
}

const WORDS: Record<string, [url: string | null, words: RegExp]> = {
  "without an address for the world the gateway is on this machine only": [null, /listens on this machine only/],
  "a laptop's loopback means the sandbox itself": ["https://localhost", /127\.0\.0\.1.*this machine itself/],
  "a laptop's home network does not exist elsewhere": [
    "https://my-laptop.local:8443",
    /my-laptop\.local is 192\.168\.1\.7.*a private network, which does not exist where the sandbox is/,
  ],
  "an address of a private network is named once": [
    "https://10.1.2.3",
    /: 10\.1\.2\.3 is an address of a private network/,
  ],
  "an address behind a provider's own translation is nobody's": ["https://100.64.1.1", /shared address/],
  "a name that nobody knows leads nowhere": [
    "https://gateway.nowhere.test",
    /gateway\.nowhere\.test has no address \(ENOTFOUND\)/,
  ],
  "what is not TLS is refused": ["http://gateway.example.com", /is not https/],
  "an IPv6 address fits in no list of Daytona's": ["https://[2001:db8::1]", /is an IPv6 address/],
};
for (const [sentence, [url, words]] of Object.entries(WORDS)) {
  test(sentence, async () => {
    const problem = await gatewayProblem(url, CLOUD, resolve);
    expect(problem?.what).toMatch(words);
    expect(problem?.fix).not.toBe("");
  });
}

test("a name with a public address has nothing against it, nor a private one beside a platform of one's own", async () => {
  expect(await gatewayProblem("https://gateway.example.com", CLOUD, resolve)).toBeNull();
  expect(await gatewayProblem("https://my-laptop.local", "http://daytona.internal:3000/api", resolve)).toBeNull();
});

/** At a platform that nobody asks anything: whatever it is told, it is told before. */
const providerAt = (gatewayUrl: string | null) =>
  daytonaSandboxes({
    apiKey: new Secret("daytona_api_key", "dtn_1"),
    apiUrl: CLOUD,
    target: null,
    installation: () => "installation-1",
    base: { image: "node:24-bookworm" },
    imageFolder: async () => "/nowhere",
    folder: "/nowhere",
    node: process.execPath,
    gatewayUrl,
    resolve,
  });

test("preflight says what is against the gateway's address, and nothing of one that can be reached", async () => {
  const problemsAt = async (url: string | null) => (await providerAt(url).preflight()).problems;
  const fix = expect.stringContaining("COUNTERSIGN_GATEWAY_URL=https://its.name");
  const noAddress = { what: expect.stringContaining("it listens on this machine only"), fix };
  expect(await problemsAt(null)).toEqual([noAddress]);
  const laptop = { what: expect.stringContaining("my-laptop.local is 192.168.1.7"), fix };
  expect(await problemsAt("https://my-laptop.local:8443")).toEqual([laptop]);
  expect(await problemsAt("https://gateway.example.com")).toEqual([]);
});

test("a sandbox with a way out is refused where the gateway has no address, with the same words", async () => {
  const spec = {
    key: "run/1",
    image: "base",
    labels: {},
    gateway: "unix:/run/gateway.sock",
    limits: { memoryMiB: 256, pids: 64 },
    ttlMs: 60_000,
  };
  await expect(providerAt(null).create(spec, new AbortController().signal)).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringMatching(
      /it listens on this machine only.*\. Run the gateway where the internet can reach it/,
    ),
  });
});

test("a throttle without a time is waited for a little longer every time, and not for ever", async () => {
  const waited: number[] = [];
  const patience = { pause: async (ms: number) => void waited.push(ms) };
  const busy = () => Promise.reject(new VendorError("throttled", "too many"));
  await expect(calmly(patience, busy)).rejects.toMatchObject({ code: "unavailable" });
  expect(waited).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000]);
});

/** A runner whose answers the test gives, and which counts what it was told to do. */
function scripted() {
  const answers: PromiseWithResolvers<Answer>[] = [];
  const cancelled: number[] = [];
  const call = () => {
    const at = answers.length;
    const one = Promise.withResolvers<Answer>();
    answers.push(one);
    return { answer: one.promise, cancel: () => void cancelled.push(at) };
  };
  return { runner: { call }, answers, cancelled };
}
const question = (more: Partial<Question>): Question => ({
  id: "q1",
  op: "exec",
  request: {},
  waitMs: 1,
  from: 0,
  ...more,
});

test("a question that is put twice is done once, and its answer is the same whenever it is fetched", async () => {
  const { runner, answers } = scripted();
  const ask = calls(runner, Promise.resolve({ body: null }));
  expect(await ask(question({}))).toEqual({ id: "q1", state: "pending" });
  expect(await ask(question({}))).toEqual({ id: "q1", state: "pending" });
  answers[0]?.resolve({ body: "done" });
  const said = await ask(question({ request: null, waitMs: 1_000 }));
  expect(said).toMatchObject({ state: "answered", part: '{"body":"done"}' });
  expect(await ask(question({ request: null }))).toEqual(said);
  expect(answers).toHaveLength(1);
});

test("a long answer comes in parts that fit together, whatever characters are at the seam", async () => {
  const { runner, answers } = scripted();
  const ask = calls(runner, Promise.resolve({ body: null }));
  const body = "näïve 🦊 ".repeat(PART / 10);
  const first = ask(question({ waitMs: 1_000 }));
  answers[0]?.resolve({ body });
  let whole = "";
  for (let said = await first; ; said = await ask(question({ request: null, from: whole.length }))) {
    if (said.state === "pending") throw new Error("still pending");
    expect(said.part.length).toBeLessThanOrEqual(PART);
    whole += said.part;
    if (whole.length >= said.size) break;
  }
  expect(JSON.parse(whole)).toEqual({ body });
});

test("an answer that nobody fetched for long is given up, and its question is never done again", async () => {
  let now = 0;
  const { runner, answers } = scripted();
  const ask = calls(runner, Promise.resolve({ body: null }), () => now);
  const first = ask(question({ waitMs: 1_000 }));
  answers[0]?.resolve({ body: "done" });
  await first;
  now = 16 * 60_000;
  expect(await ask(question({}))).toMatchObject({ part: expect.stringContaining("not kept any more") });
  expect(answers).toHaveLength(1);
});

test("calling a question off ends that one and no other", async () => {
  const { runner, answers, cancelled } = scripted();
  const ask = calls(runner, Promise.resolve({ body: null }));
  await ask(question({ id: "q1" }));
  await ask(question({ id: "q2" }));
  await ask(question({ id: "q3", op: "cancel", request: "q2" }));
  expect(cancelled).toEqual([1]);
  expect(answers).toHaveLength(2);
});

test("the double takes an upload whose form is as the vendor's SDK writes it", () => {
  expect(wrongInUpload(["files[0].path", "files[0].file", "files[1].path", "files[1].file"])).toBe(null);
});

test.each([
  [[]],
  [["files[0].path"]],
  [["files[0].path", "files[0].file", "files[0].mode"]],
  [["files[0].path", "files[0].file", "mode", "files[1].file"]],
  [["files[1].path", "files[1].file"]],
  [["files[0].path", "files[0].path", "files[0].file", "files[0].file"]],
])("the double refuses an upload with the fields %j", (fields: readonly string[]) => {
  expect(wrongInUpload(fields)).toMatch(/^an upload has the fields /);
});
