/**
 * git's pre-receive hook, as a program of its own: git starts it in the quarantine of a push and refuses the push unless
 * it exits 0. It decides nothing. It hands what git says to the gateway that started git, prints the answer, and
 * anything that goes wrong on the way is a refusal. It reads nothing from the repository.
 */
import { request } from "node:http";
import { text } from "node:stream/consumers";

// Values come as arguments from the wrapper that git starts (see `installHook`).
const [admin = "", push = "", objects = "", alternates = ""] = process.argv.slice(2);
const WAIT_MS = 180_000;

async function ask(): Promise<{ ok: boolean; text: string }> {
  const lines = await text(process.stdin);
  const body = JSON.stringify({ push, lines, objects, alternates });
  return await new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const outgoing = request({ socketPath: admin, path: "/pre-receive", method: "POST", headers, timeout: WAIT_MS });
    outgoing.once("timeout", () => outgoing.destroy(new Error("the gateway does not answer")));
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      text(incoming).then((answer) => {
        if (incoming.statusCode === 200) resolve(JSON.parse(answer));
        else reject(new Error(`the gateway answered ${incoming.statusCode}`));
      }, reject);
    });
    outgoing.end(body);
  });
}

try {
  const verdict = await ask();
  process.stderr.write(verdict.text);
  process.exitCode = verdict.ok === true ? 0 : 1;
} catch (error) {
  process.stderr.write(
    `countersign: the push could not be checked, so it is refused. ${error instanceof Error ? error.message : ""}\n`,
  );
  process.exitCode = 1;
}
