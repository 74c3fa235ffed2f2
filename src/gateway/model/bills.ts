import { type AuditBody, record, type Wall } from "#gateway/wall.ts";

/** Lines about calls that have happened. They cannot be refused any more, so they must not get lost either. */
export interface Bills {
  /** Writes a line and then calls `written`. `false`: it is not on disk, and is kept to be tried again. */
  write(line: AuditBody, written: () => Promise<void>): Promise<boolean>;
  /** Whether all is on disk, after another try. While it is not, no further call may go out. */
  areWritten(): Promise<boolean>;
}

export function openBills(wall: Wall): Bills {
  const kept: { line: AuditBody; written: () => Promise<void> }[] = [];
  let trying: Promise<void> | null = null;

  async function tryAgain(): Promise<void> {
    for (let next = kept[0]; next !== undefined; next = kept[0]) {
      if (!(await record(wall, next.line))) return;
      kept.shift();
      await next.written();
    }
  }

  return {
    async write(line, written) {
      if (kept.length === 0 && (await record(wall, line))) {
        await written();
        return true;
      }
      kept.push({ line, written });
      return false;
    },
    async areWritten() {
      if (kept.length === 0) return true;
      trying ??= tryAgain().finally(() => {
        trying = null;
      });
      await trying;
      return kept.length === 0;
    },
  };
}
