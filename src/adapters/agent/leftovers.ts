import { AgentError } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";

/** In the environment of the agent, and so of all it starts, in whatever session or group that hides. */
export const MARK = "COUNTERSIGN_AGENT";

export const markFor = (sandbox: Sandbox, procId: string): string => `${sandbox.id}/${procId}`;

/**
 * Kills what carries the mark, over and over until a round finds nothing. With "tools" the oldest process is spared: it
 * is the agent itself. Field 22 of stat is the start time; the command in field 2 may hold spaces and brackets.
 */
const SWEEP = `
want=$1; spare=$2; root=; oldest=
marked() {
  for dir in /proc/[0-9]*; do
    pid=\${dir#/proc/}
    tr '\\0' '\\n' <"$dir/environ" 2>/dev/null | grep -qxF "$want" || continue
    stat=$(cat "$dir/stat" 2>/dev/null) || continue
    set -- \${stat##*) }
    [ "$1" = Z ] || echo "\${20} $pid"
  done
}
if [ "$spare" = tools ]; then root=$(marked | sort -n -k1,1 -k2,2 | head -n 1 | cut -d' ' -f2); fi
round=0
while [ $round -lt 50 ]; do
  found=$(marked | while read -r _ pid; do [ "$pid" = "$root" ] || echo "$pid"; done)
  [ -z "$found" ] && exit 0
  kill -9 $found 2>/dev/null
  round=$((round + 1))
done
exit 1
`;

const MOST_TRIES = 5;

/**
 * Ends what an agent left running: "tools" all but the agent, "all" everything. Agents end their tools on cancel or do
 * not, and a killed agent's shells go on writing (measured), so we look for ourselves.
 */
export async function killLeftovers(sandbox: Sandbox, procId: string, which: "tools" | "all"): Promise<void> {
  const argv = ["sh", "-c", SWEEP, "sweep", `${MARK}=${markFor(sandbox, procId)}`, which];
  for (let tries = 1; ; tries += 1) {
    const swept = await sandbox.exec({ argv, cwd: "/" }, { timeoutMs: 20_000 });
    if (swept.exitCode === 0) return;
    // A `killAll` beside us ends the sweep too, and then it has to look again.
    if (swept.signal !== null && !swept.timedOut && tries < MOST_TRIES) continue;
    const why = swept.stderr.trim() || "they keep coming";
    throw new AgentError(`processes of the agent could not be ended: ${why}`);
  }
}
