import { count, nullable, object, type Shaped, text } from "#runner/shape.ts";

/** Everything a program inside has to be told. It comes as a file that only we may read, and is gone once it is read. */
export const order = object({
  /** Of the two, both absolute. */
  workdir: text,
  home: text,
  /** Where the control socket, the log and the journals lie. */
  run: text,
  /** The runner's program. */
  runner: text,
  /** Port on 127.0.0.1 at which processes inside find the gateway. */
  port: count,
  /** PEM of authorities that programs inside trust beside the system's. */
  trust: nullable(text),
  /** `null`: no way out at all. */
  gateway: nullable(
    object({
      /** "https://host[:port]", as the outside knows it. */
      url: text,
      token: nullable(text),
      /** PEM of authorities that may speak for it, beside the well-known ones. */
      authority: nullable(text),
    }),
  ),
});
export type Order = Shaped<typeof order>;

/** Stands before and after what our programs print: whoever runs them mixes the two streams of output. */
export const MARK = "=countersign=";

/** Below `run`. */
export const INSIDE = {
  /** Puts a question to the host; see `call.ts`. */
  call: "call.cjs",
  control: "control.sock",
  log: "host.log",
  journals: "journals",
  authorities: "authorities",
  /** Written when the sandbox may be used; one that was ready and has no host any more is over. */
  ready: "ready",
} as const;
