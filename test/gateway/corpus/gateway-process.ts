import { startGateway } from "#gateway/serve.ts";

/** The gateway as a process of its own, for tests that kill it. Prints its address when it listens. */
const [stateDir = ""] = process.argv.slice(2);
const { address } = await startGateway({ stateDir, models: { openai: null, anthropic: null }, registry: null });
process.stdout.write(`${address}\n`);
