import { describe, expect, test } from "vitest";
import type { Account, Directory, GroupRef } from "#ports/directory.ts";
import { DirectoryUnavailable } from "#ports/directory.ts";

/** A directory under test, and the hand that changes the world behind it. */
export interface DirectoryWorld {
  readonly directory: Directory;
  readonly workspace: string;
  /** A group of the source under test; default: a user group of the workspace. */
  readonly leads?: GroupRef;
  /** One that the source does not have. */
  readonly gone?: GroupRef;
  put(account: Account): void;
  group(ref: GroupRef, members: readonly string[]): void;
  channel(id: string, members: readonly string[]): void;
  /** The source stops answering. */
  cut(): void;
  /** Lets any permitted cache run out. */
  later(): void;
}

const LEADS: GroupRef = { slack_usergroup: "S0LEADS" };

/** What every directory promises. `world` makes an empty one. */
export function directoryContract(name: string, world: () => DirectoryWorld): void {
  const person = (workspace: string, id: string, kind: Account["kind"] = "member"): Account => ({
    provider: "slack",
    workspace,
    id,
    name: `name of ${id}`,
    kind,
    email: null,
  });

  describe(`directory: ${name}`, () => {
    test("an account is found by its id, with its name", async () => {
      const { directory, workspace, put } = world();
      put(person(workspace, "U0ANA"));
      expect(await directory.account({ provider: "slack", workspace, id: "U0ANA" })).toMatchObject({
        provider: "slack",
        workspace,
        id: "U0ANA",
        name: "name of U0ANA",
        kind: "member",
      });
    });

    test("an unknown account is null, not an error", async () => {
      const { directory, workspace } = world();
      expect(await directory.account({ provider: "slack", workspace, id: "U0NOBODY" })).toBeNull();
    });

    test("an account of another workspace is not found under the same id", async () => {
      const { directory, workspace, put } = world();
      put(person(workspace, "U0ANA"));
      expect(await directory.account({ provider: "slack", workspace: "T0OTHER", id: "U0ANA" })).toBeNull();
    });

    test.each(["member", "guest", "external", "bot", "deactivated"] as const)("a %s is told apart", async (kind) => {
      const { directory, workspace, put } = world();
      put(person(workspace, "U0X", kind));
      expect((await directory.account({ provider: "slack", workspace, id: "U0X" }))?.kind).toBe(kind);
    });

    test("the members of a group are accounts of the workspace", async () => {
      const { directory, workspace, group, leads = LEADS } = world();
      group(leads, ["U0BO", "U0CY"]);
      expect(await directory.members(leads, workspace)).toEqual([
        { provider: "slack", workspace, id: "U0BO" },
        { provider: "slack", workspace, id: "U0CY" },
      ]);
    });

    test("a person who left a group is out of it at the next look", async () => {
      const { directory, workspace, group, later, leads = LEADS } = world();
      group(leads, ["U0BO", "U0CY"]);
      await directory.members(leads, workspace);
      group(leads, ["U0CY"]);
      later();
      expect((await directory.members(leads, workspace)).map((one) => one.id)).toEqual(["U0CY"]);
    });

    test("people named one by one are themselves", async () => {
      const { directory, workspace } = world();
      expect(await directory.members({ people: ["U0ANA"] }, workspace)).toEqual([
        { provider: "slack", workspace, id: "U0ANA" },
      ]);
    });

    test("a group that nobody knows is unavailable, never empty", async () => {
      const { directory, workspace, gone = { github_team: "acme/gone" } } = world();
      for (const group of [{ slack_usergroup: "S0GONE" }, { idp: "gone" }, gone, { github_user: "gone" }]) {
        await expect(directory.members(group, workspace)).rejects.toThrow(DirectoryUnavailable);
      }
    });

    test("everybody in a channel is an account of the workspace, also in one of many people", async () => {
      const { directory, workspace, channel } = world();
      channel("C0SHOP", ["U0ANA", "U0BO", "U0CY"]);
      expect(await directory.channelMembers({ provider: "slack", workspace, id: "C0SHOP" })).toEqual(
        ["U0ANA", "U0BO", "U0CY"].map((id) => ({ provider: "slack", workspace, id })),
      );
    });

    test("a person who left a channel is out of it half a minute later", async () => {
      const { directory, workspace, channel, later } = world();
      const look = async () =>
        (await directory.channelMembers({ provider: "slack", workspace, id: "C0SHOP" })).map(({ id }) => id);
      channel("C0SHOP", ["U0BO", "U0CY"]);
      await look();
      channel("C0SHOP", ["U0CY"]);
      later();
      expect(await look()).toEqual(["U0CY"]);
    });

    test("a channel that nobody knows is unavailable, never empty", async () => {
      const { directory, workspace } = world();
      const look = directory.channelMembers({ provider: "slack", workspace, id: "C0GONE" });
      await expect(look).rejects.toThrow(DirectoryUnavailable);
    });

    test("a source that does not answer is unavailable, for people, groups and channels", async () => {
      const { directory, workspace, put, group, channel, cut, later, leads = LEADS } = world();
      put(person(workspace, "U0ANA"));
      group(leads, ["U0ANA"]);
      channel("C0SHOP", ["U0ANA"]);
      await directory.members(leads, workspace);
      cut();
      later();
      await expect(directory.account({ provider: "slack", workspace, id: "U0ANA" })).rejects.toThrow(
        DirectoryUnavailable,
      );
      await expect(directory.members(leads, workspace)).rejects.toThrow(DirectoryUnavailable);
      const inChannel = directory.channelMembers({ provider: "slack", workspace, id: "C0SHOP" });
      await expect(inChannel).rejects.toThrow(DirectoryUnavailable);
    });
  });
}
