import { expect, test } from "vitest";
import { slackDoor } from "#adapters/directory/slack-door.ts";
import { isAllowed } from "#adapters/directory/slack-installations.ts";
import type { InstalledWorkspace } from "#ports/workspaces.ts";

const workspace = (id: string, enterprise: string | null): InstalledWorkspace => ({
  ...{ id, enterprise, name: id, url: null, botUserId: "U0AGENT", botId: "B0AGENT" },
  ...{ scopes: [], installedBy: "U0ANA", installedAt: new Date("2026-11-24T14:00:00.000Z") },
  tokens: { keyId: "k", access: "a", refresh: null, expiresAt: null, lost: null },
});

const ROWS = new Map(
  [
    { workspace: workspace("T0ACME", null), opens: true },
    { workspace: workspace("T0GRID", "E0ORG"), opens: true },
    { workspace: workspace("T0SEALED", "E0ORG"), opens: false },
    { workspace: workspace("T0STRANGE", "E0OTHER"), opens: true },
    { workspace: workspace("T0SHUT", "E0OTHER"), opens: false },
  ].map((row) => [row.workspace.id, row]),
);

function door() {
  const log: string[] = [];
  const claims = slackDoor({
    workspace: async (id) => ROWS.get(id) ?? null,
    isAllowed: (of) => isAllowed(["T0ACME", "E0ORG"], of),
    log: (message, fields) => void log.push(`${message} ${JSON.stringify(fields)}`),
  });
  return { log, claims };
}

const CLAIMS: Record<string, [[string, string | null, boolean], "open" | "shut" | "blocked"]> = {
  "a workspace of the list is heard": [["T0ACME", null, false], "open"],
  "a workspace of an organisation of the list is heard": [["T0GRID", "E0ORG", false], "open"],
  "its organisation need not be named": [["T0GRID", null, false], "open"],
  "another organisation than its row's is not heard": [["T0GRID", "E0OTHER", false], "shut"],
  "an organisation that its row does not have is not heard, though it be on the list": [
    ["T0ACME", "E0ORG", false],
    "shut",
  ],
  "an installation of the whole organisation speaks for no workspace of it": [["T0GRID", "E0ORG", true], "shut"],
  "nor for one that never installed the app": [["T0OTHER", "E0ORG", true], "shut"],
  "a workspace without a row is not heard, whatever its organisation": [["T0OTHER", "E0ORG", false], "shut"],
  "a workspace off the list is not heard by naming an organisation of it": [["T0STRANGE", "E0ORG", false], "shut"],
  "a workspace whose tokens no key opens is blocked": [["T0SEALED", "E0ORG", false], "blocked"],
  "off the list comes before that": [["T0SHUT", "E0OTHER", false], "shut"],
  "no workspace is none": [["", null, false], "shut"],
};
for (const [what, [[id, enterprise, orgWide], entry]] of Object.entries(CLAIMS)) {
  test(what, async () => expect(await door().claims({ workspace: id, enterprise, orgWide })).toBe(entry));
}

test("a request that contradicts its installation is said once for each way it does", async () => {
  const { log, claims } = door();
  for (let n = 0; n < 3; n += 1) {
    await claims({ workspace: "T0GRID", enterprise: "E0OTHER", orgWide: false });
    await claims({ workspace: "T0GRID", enterprise: "E0ORG", orgWide: true });
    await claims({ workspace: "T0NOBODY", enterprise: "E0ORG", orgWide: true });
  }
  expect(log).toEqual([
    expect.stringMatching(/name another organisation.*T0GRID.*E0OTHER/),
    expect.stringMatching(/whole organisation.*T0GRID/),
  ]);
});
