import { expect, test } from "vitest";
import { unlinkCommand } from "#command/unlink.ts";

test.each([[[]], [["slack", "U0BO"]], [["github"]], [["github", "a", "b"]], [["--list", "github", "a"]]])(
  "%j is not understood, and how it is said is printed",
  async (args) => {
    const said: string[] = [];
    const never = () => Promise.reject(new Error("nothing is asked"));
    const out = (text: string) => void said.push(text);
    expect(await unlinkCommand(args, { unlink: never, taken: never, out, error: out })).toBe(2);
    expect(said.join("\n")).toContain("countersign unlink github|linear ACCOUNT");
  },
);
