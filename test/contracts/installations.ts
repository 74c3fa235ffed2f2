import { describe, expect, test } from "vitest";
import type { Installations, InstallationWord } from "#ports/workspaces.ts";

/** What an adapter's test can bring about. */
export interface InstallationsBench {
  readonly installations: Installations;
  /** Makes it so that this is what has to be said of the workspace; `null`: it has no row. */
  arrange(id: string, word: InstallationWord | null): Promise<void>;
}

/** The list is `T0ACME` and `E0ORG`. */
export function installationsContract(name: string, open: () => Promise<InstallationsBench>): void {
  describe(name, () => {
    test("a workspace is let in by its own id or its organisation's, and by nothing else", async () => {
      const { installations } = await open();
      const letsIn = (id: string, enterprise: string | null) => installations.isAllowed({ id, enterprise });
      expect([letsIn("T0ACME", null), letsIn("T0ACME", "E0OTHER"), letsIn("T0BETA", "E0ORG")]).toEqual([
        true,
        true,
        true,
      ]);
      expect([letsIn("T0BETA", null), letsIn("T0BETA", "E0OTHER"), letsIn("E0OTHER", null)]).toEqual([
        false,
        false,
        false,
      ]);
    });

    const WORDS: Record<string, InstallationWord> = {
      "is there": { kind: "taken", enterprise: null },
      "is there, in an organisation": { kind: "taken", enterprise: "E0ORG" },
      "is over": { kind: "gone", why: "account_inactive" },
      "refuses us": { kind: "refused", why: "invalid_auth" },
      "cannot be asked about": { kind: "sealed" },
      "nothing is said of": { kind: "unknown", why: "internal_error" },
    };
    for (const [what, word] of Object.entries(WORDS)) {
      test(`an installation that ${what} is told as such`, async () => {
        const { installations, arrange } = await open();
        await arrange("T0ACME", word);
        expect(await installations.ask("T0ACME")).toMatchObject(word);
      });
    }

    test("a workspace without a row is gone, and to forget what is not there does no harm", async () => {
      const { installations, arrange } = await open();
      await arrange("T0ACME", null);
      expect(await installations.ask("T0ACME")).toEqual({ kind: "gone", why: "not_installed" });
      installations.forget("T0ACME");
      installations.forget("T0ACME");
      expect(await installations.ask("T0ACME")).toMatchObject({ kind: "gone" });
    });
  });
}
