import type { View } from "#runs/view.ts";
import * as story from "#test/fixtures/run-events.ts";

/** What people are shown about their accounts elsewhere. */
export const accountViews: Readonly<Record<string, View>> = {
  "link-code": {
    kind: "link_code",
    provider: "linear",
    code: "cslink_WyJzbGFjayIsIlQwIl0.bWFjbWFjbWFj",
    until: story.START,
  },
  linked: { kind: "linked", provider: "linear", name: "ana@acme", person: "Ana" },
  "linked-github": { kind: "linked", provider: "github", name: "octo<cat>", person: "Ana" },
  "link-code-github": {
    kind: "link_code",
    provider: "github",
    code: "cslink_WyJzbGFjayIsIlQwIl0.bWFjbWFjbWFj",
    until: story.START,
  },
  "link-page": {
    kind: "link_page",
    provider: "github",
    url: "https://agents.example.com/identity/github/start?link=cslink_WyJzbGFjayIsIlQwIl0.bWFjbWFjbWFj",
    until: story.START,
  },
  "link-refused": { kind: "link_refused", provider: "github", name: "octocat", why: "code_used", holder: null },
  "link-refused-theirs": {
    kind: "link_refused",
    provider: "github",
    name: "octo<cat>",
    why: "theirs",
    holder: "Mallory",
  },
  "link-lost": { kind: "link_lost", provider: "github", account: "octocat", name: "octocat", by: { operator: "root" } },
  "link-lost-signed-in": {
    kind: "link_lost",
    provider: "github",
    account: "octocat",
    name: "octocat",
    by: { signedIn: "Ana" },
  },
  links: {
    kind: "links",
    accounts: [{ provider: "github", name: "octocat" }],
    places: ["github", "linear"],
  },
  "links-none": { kind: "links", accounts: [], places: [] },
  unlinked: { kind: "unlinked", from: ["github", "linear"] },
  "unlinked-nothing": { kind: "unlinked", from: [] },
};
