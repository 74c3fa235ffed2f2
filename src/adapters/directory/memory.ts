import {
  type Account,
  type Directory,
  DirectoryUnavailable,
  type ExternalId,
  type GroupRef,
  type OwnerRef,
} from "#ports/directory.ts";

export interface MemoryDirectory extends Directory {
  put(account: Account): void;
  /** Replaces the members of a group; the ids are accounts' ids on every workspace. */
  group(ref: GroupRef | OwnerRef, members: readonly string[]): void;
  /** Replaces the members of a channel, on every workspace. */
  channel(id: string, members: readonly string[]): void;
  /** While set, every answer is `DirectoryUnavailable` with this message. */
  fail(message: string | null): void;
}

const nameOf = (ref: GroupRef | OwnerRef): string => JSON.stringify(Object.entries(ref)[0]);

/** Keeps people and groups in Maps. For tests. */
export function memoryDirectory(provider = "slack"): MemoryDirectory {
  const accounts = new Map<string, Account>();
  const groups = new Map<string, readonly string[]>();
  const channels = new Map<string, readonly string[]>();
  let problem: string | null = null;
  const key = (id: ExternalId) => `${id.provider} ${id.workspace} ${id.id}`;
  const alive = () => {
    if (problem !== null) throw new DirectoryUnavailable(problem);
  };
  return {
    put(account) {
      accounts.set(key(account), account);
    },
    group(ref, members) {
      groups.set(nameOf(ref), members);
    },
    channel(id, members) {
      channels.set(id, members);
    },
    fail(message) {
      problem = message;
    },
    async account(id) {
      alive();
      return accounts.get(key(id)) ?? null;
    },
    async members(ref, workspace) {
      alive();
      const ids = "people" in ref ? ref.people : groups.get(nameOf(ref));
      if (ids === undefined) throw new DirectoryUnavailable(`there is no group ${nameOf(ref)}`);
      return ids.map((id) => ({ provider, workspace, id }));
    },
    async channelMembers({ workspace, id }) {
      alive();
      const ids = channels.get(id);
      if (ids === undefined) throw new DirectoryUnavailable(`there is no channel ${id}`);
      return ids.map((member) => ({ provider, workspace, id: member }));
    },
  };
}
