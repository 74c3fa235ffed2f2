import type { Mutation } from "./mutation.ts";

const linking = (test: string) => ({ file: "test/surfaces/linear/linking.int.test.ts", test });
const intake = (test: string) => ({ file: "test/surfaces/linear/intake.int.test.ts", test });
const session = (test: string) => ({ file: "test/surfaces/linear/sessions.int.test.ts", test });

/** Who may speak on a ticket, and whose words they are. */
export const TICKETS: readonly Mutation[] = [
  {
    name: "a code that nobody signed links",
    file: "src/runs/link-code.ts",
    find: "if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;",
    replace: "",
    red: linking("a late code, a changed one and one of another installation link nobody"),
  },
  {
    name: "a code lives for ever",
    file: "src/runs/account/redeem.ts",
    find: 'if (!again && core.clock.now() > code.until) return refuse("code_late", owner);',
    replace: "",
    red: linking("a late code, a changed one and one of another installation link nobody"),
  },
  {
    name: "a person who left Slack may still ask on tickets",
    file: "src/linear.ts",
    find: "return linked === null ? null : directory.account(linked);",
    replace: 'return linked === null ? null : { ...linked, name: "", kind: "member" as const, email: null };',
    red: linking("a person who was linked and left Slack is nobody here any more"),
  },
  {
    name: "a webhook is taken whoever signed it, and when",
    file: "src/adapters/ticket/linear/vendor.ts",
    find: "return client.verify(bytes, signature) ? JSON",
    replace: "return client ? JSON",
    red: intake("a delivery of more than a minute ago, of the future, or of no time at all is refused"),
  },
  {
    name: "an app may have its words kept and started",
    file: "src/surfaces/linear/handle.ts",
    find: 'if (there?.kind !== "member") return say(delivery, delivery.session, "response", NOBODY);\n    let kept',
    replace: "let kept",
    red: intake("an automation, another app and a guest start nothing, and are not asked to link anything"),
  },
  {
    name: "tickets may be answered where another organisation reads",
    file: "src/linear.ts",
    find: "hear(core, { ...heard, shared })",
    replace: "hear(core, heard)",
    red: session("a team whose channel is shared with another organisation, or may be, is not worked for from tickets"),
  },
];
