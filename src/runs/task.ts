/** A step as people follow it; the words of the chat's plan block. */
export const TASK_STATUSES = ["pending", "in_progress", "complete", "error"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export interface Task {
  readonly title: string;
  readonly status: TaskStatus;
}
