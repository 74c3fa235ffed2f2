import path from "node:path";
import { examineKeys } from "#adapters/secrets/keys.ts";
import { type Examination, type Finding, fine, note, wrong } from "#command/doctor.ts";
import { reachDatabase } from "#db/reach.ts";
import { apiOf, type Config, ConfigError, parseConfig } from "./config.ts";
import { examineCode } from "./doctor-code.ts";
import { examinePolicy } from "./doctor-policy.ts";
import { examineDoor, examineHosting } from "./doctor-sandboxes.ts";
import { examineChat } from "./doctor-slack.ts";
import { examineTickets } from "./doctor-tickets.ts";
import { usable } from "./parts.ts";

/** What `countersign doctor` looks at: what `serve` would, without starting or changing anything. */
export function examinationsOf(env: Readonly<Record<string, string | undefined>>, cwd: string): Examination[] {
  let config: Config;
  try {
    config = parseConfig(env, cwd);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const look = async () => [
      wrong("settings", `${cause.message}.`, "Mend that, then run doctor again: the rest needs it."),
    ];
    return [{ of: "Settings", look }];
  }
  return [
    { of: "Settings", look: async () => [fine("settings", "Every variable can be read.")] },
    { of: "Data folder", look: async () => folder(config) },
    { of: "Policy", look: async () => (await examinePolicy(config)).findings },
    { of: "Slack", look: () => examineChat(config) },
    { of: "Database", look: () => database(config) },
    { of: "Sandboxes", look: () => examineHosting(config) },
    { of: "Gateway", look: () => examineDoor(config) },
    { of: "Model", look: () => model(config) },
    { of: "Code", look: () => examineCode(config) },
    { of: "Tickets", look: () => examineTickets(config) },
  ];
}

function folder(config: Config): Finding[] {
  usable(config.dataDir);
  examineKeys(path.join(config.dataDir, "keys"));
  return [fine("data", `${config.dataDir} can be used, and its keys are readable by their owner alone.`)];
}

async function database(config: Config): Promise<Finding[]> {
  const { kind, place } = await reachDatabase(config.database);
  return kind === "pglite"
    ? [fine("database", `The embedded database, in ${place}. One process at a time may have it open.`)]
    : [fine("database", `${place} lets us in.`)];
}

async function model({ agent, model: name, models }: Config): Promise<Finding[]> {
  if (agent === "demo")
    return [
      note(
        "model",
        "No model: the demo agent follows a script.",
        "Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a real one.",
      ),
    ];
  const at = models[apiOf(models, name)].baseUrl ?? "";
  return [
    fine(
      "model",
      `OpenCode with ${name}, asked of ${at === "" ? "no API" : new URL(at).host}. Its key is tried with the first run.`,
    ),
  ];
}
