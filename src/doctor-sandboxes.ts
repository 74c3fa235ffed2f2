import { type Finding, fine, note, wrong } from "#command/doctor.ts";
import type { Config } from "./config.ts";
import { examineSandboxes } from "./sandboxes.ts";

/** Whether sandboxes could be made, as far as that can be told without making one. */
export async function examineHosting(config: Config): Promise<readonly Finding[]> {
  const { provider, problems, unasked } = await examineSandboxes(config, {
    imageFolder: () => Promise.reject(new Error("doctor makes no sandbox")),
    installation: () => "doctor",
  });
  await provider[Symbol.asyncDispose]?.();
  if (problems.length > 0) return problems.map(({ what, fix }) => wrong("sandboxes", `${capital(what)}.`, fix));
  if (unasked !== null)
    return [
      wrong(
        "sandboxes.unasked",
        `${capital(unasked)}.`,
        "See that this machine reaches DAYTONA_API_URL (Daytona's own when absent), and run doctor again.",
      ),
    ];
  return config.daytona === null
    ? [fine("sandboxes", "Sandboxes are made on this machine.")]
    : [
        fine(
          "sandboxes",
          "Daytona takes our key, and lists sandboxes for it. Whether it makes one was not tried: the first run does.",
        ),
      ];
}

const capital = (text: string): string => `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}`;

/** What is told to hosted sandboxes of the gateway. Only from inside of one it can be tried. */
export async function examineDoor({ daytona, publicDoor }: Config): Promise<readonly Finding[]> {
  if (publicDoor === null)
    return [
      daytona === null
        ? fine("gateway", "The gateway is for sandboxes of this machine alone.")
        : note("gateway", "The gateway is for this machine alone, which is too little for Daytona: see above.", null),
    ];
  const { url, listen } = publicDoor;
  const at = `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`;
  return [
    note(
      "gateway",
      `Hosted sandboxes are told that the gateway is at ${url}. Whether it can be reached there was not tried: each sandbox tries it before it is used.`,
      `See that port ${new URL(url).port || 443} of that name leads to ${at} of this machine, and that nothing on the way ends TLS: docs/daytona.md.`,
    ),
  ];
}
