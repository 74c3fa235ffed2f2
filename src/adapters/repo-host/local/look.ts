import type { raw } from "hono/html";

/** Markup that is safe to send. */
export type Html = ReturnType<typeof raw>;

/**
 * How the host's pages look. Handed in, because an adapter knows no surface: `surfaces/web` has it, and whoever wires
 * the two passes it on.
 */
export interface HostLook {
  /** A template whose every value is escaped and made readable, except markup that it made itself. */
  h(strings: TemplateStringsArray, ...values: readonly unknown[]): Html;
  /** A whole document around the inside of `<main>`. */
  page(o: { title: string; body: Html }): string;
  /** Sent with each page; among them the content security policy. */
  readonly headers: Readonly<Record<string, string>>;
  /** Said beside the title of a page that lists what agents made: such as that no model thought of it. Absent: nothing. */
  readonly badge?: Html;
}
