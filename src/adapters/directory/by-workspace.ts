import { type Directory, DirectoryUnavailable } from "#ports/directory.ts";

/** Asks each workspace about its own people. `of` gives `null` for one that we are not in: of that nothing can be known. */
export function directoryByWorkspace(of: (workspace: string) => Promise<Directory | null>): Directory {
  async function at(workspace: string): Promise<Directory> {
    const directory = await of(workspace);
    if (directory === null) throw new DirectoryUnavailable(`the app is not installed in the workspace ${workspace}`);
    return directory;
  }
  return {
    async account(id) {
      return id.provider === "slack" ? (await at(id.workspace)).account(id) : null;
    },
    members: async (group, workspace) => (await at(workspace)).members(group, workspace),
    channelMembers: async (channel) => (await at(channel.workspace)).channelMembers(channel),
  };
}
