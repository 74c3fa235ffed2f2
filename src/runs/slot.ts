/** What a sandbox is for: the agent's own; and the clean one in which its result is checked. */
export type Slot = "agent" | "check";
