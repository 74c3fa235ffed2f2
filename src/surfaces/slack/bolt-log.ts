import { LogLevel } from "@slack/web-api";
import type { Log } from "./whisper.ts";

/** Bolt logs bodies at debug; only what went wrong passes. */
export function boltLogger(log: Log) {
  const pass =
    (level: string) =>
    (...parts: unknown[]) =>
      log(parts.map(String).join(" "), { from: "bolt", level });
  return {
    debug: () => {},
    info: () => {},
    warn: pass("warn"),
    error: pass("error"),
    setLevel: () => {},
    getLevel: () => LogLevel.INFO,
    setName: () => {},
  };
}
