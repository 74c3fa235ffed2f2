import { z } from "zod";

/** A rule as the record keeps it. */
export const ruleShape = z.strictObject({ at: z.string(), text: z.string(), why: z.string().nullable() });

const repo = z.string();

/** `PolicyObject` as the record keeps it. */
const object = z.discriminatedUnion("subject", [
  z.strictObject({ subject: z.literal("git.repo"), repo }),
  z.strictObject({ subject: z.literal("git.branch"), repo, branch: z.string() }),
  z.strictObject({ subject: z.literal("git.path"), repo, path: z.string() }),
  z.strictObject({
    subject: z.literal("git.size"),
    repo,
    files: z.number(),
    lines: z.number(),
    bytes: z.number(),
  }),
  z.strictObject({ subject: z.literal("command"), command: z.string() }),
  z.strictObject({ subject: z.literal("action"), action: z.string(), draft: z.boolean().optional() }),
  z.strictObject({ subject: z.literal("model"), model: z.string() }),
  z.strictObject({ subject: z.literal("secret.name"), secret: z.string() }),
  z.strictObject({ subject: z.literal("tool"), tool: z.string() }),
  z.strictObject({ subject: z.literal("preset"), preset: z.string() }),
  z.strictObject({
    subject: z.literal("egress"),
    host: z.string(),
    port: z.number(),
    method: z.string().nullable(),
    path: z.string().nullable(),
  }),
]);

/** What was put to policy, kept with its answer so that it can be put to another policy (`policy simulate`). */
export const requestShape = z.strictObject({ team: z.string(), objects: z.array(object) });

/** What a rule on trial would have said, had it been a rule. */
export const trialShape = z.strictObject({
  outcome: z.enum(["ask", "deny"]),
  until: z.string(),
  rules: z.array(ruleShape),
});
