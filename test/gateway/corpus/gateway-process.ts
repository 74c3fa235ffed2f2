import { startGateway } from "#gateway/serve.ts";

/** The gateway as a process of its own, for tests that kill it. Prints one line when it listens. */
const [stateDir = ""] = process.argv.slice(2);
await startGateway({ stateDir, models: { openai: null, anthropic: null }, registry: null });
process.stdout.write("listening\n");
