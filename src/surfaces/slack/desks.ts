import { DirectoryUnavailable } from "#ports/directory.ts";
import { render } from "./cards/render.ts";
import { channelFacts } from "./channel-facts.ts";
import type { Desk, DeskOf, SlackWorkspace, SlackWorkspaces } from "./desk.ts";
import { whisper } from "./whisper.ts";

/** One desk for each workspace, which speaks to that workspace alone. */
export function openDesks({
  workspaces,
  ...common
}: Pick<Desk, "verbs" | "now" | "log" | "unknown"> & {
  readonly workspaces: Pick<SlackWorkspaces, "of">;
}): {
  /** `null`: nothing may be done in that workspace, or can be. */
  at(workspace: string): Promise<Desk | null>;
  readonly of: DeskOf;
} {
  const { now, log } = common;
  const known = new WeakMap<SlackWorkspace, Desk>();

  function deskFor({ urgent, reads, identity, directory, show }: SlackWorkspace): Desk {
    const { workspace } = identity;
    return {
      ...{ ...common, urgent, identity, show },
      placed: (channel, thread) => ({ provider: "slack", workspace, channel, thread }),
      factsOf: channelFacts(reads, now, log),
      note: (at, what) => whisper(urgent, log, at, "blocks" in what ? what : render(what, now())),
      async accountOf(user) {
        try {
          return await directory.account({ provider: "slack", workspace, id: user });
        } catch (error) {
          if (!(error instanceof DirectoryUnavailable)) throw error;
          log("the directory could not say who spoke", { user, error: error.message });
          return null;
        }
      },
    };
  }

  async function at(workspace: string): Promise<Desk | null> {
    const there = await workspaces.of(workspace);
    if (there === null) return null;
    const desk = known.get(there) ?? deskFor(there);
    known.set(there, desk);
    return desk;
  }

  return {
    at,
    async of({ teamId = "" }) {
      const desk = await at(teamId);
      if (desk === null) throw new Error(`${teamId} has not installed the app`);
      return desk;
    },
  };
}
