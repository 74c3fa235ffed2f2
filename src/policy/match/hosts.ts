/**
 * Suffixes under which anyone can have a name: an allow is a capability grant, not a destination filter, and what may be
 * sent to one of these may be sent to a stranger. Package registries and model APIs are the operator's configuration.
 */
const SHARED = [
  "amazonaws.com",
  "azurewebsites.net",
  "bitbucket.org",
  "blob.core.windows.net",
  "cloudfront.net",
  "firebaseapp.com",
  "fly.dev",
  "github.com",
  "github.io",
  "githubusercontent.com",
  "gitlab.com",
  "gitlab.io",
  "googleapis.com",
  "herokuapp.com",
  "netlify.app",
  "ngrok-free.app",
  "ngrok.app",
  "ngrok.io",
  "onrender.com",
  "pages.dev",
  "pastebin.com",
  "r2.dev",
  "slack.com",
  "trycloudflare.com",
  "vercel.app",
  "web.app",
  "webhook.site",
  "workers.dev",
] as const;

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** The part of a pattern after its wildcard label. */
export function base(pattern: string): string {
  if (pattern.startsWith("**.")) return pattern.slice(3);
  return pattern.startsWith("*.") ? pattern.slice(2) : pattern;
}

/** `pattern` is a name, `*.name` (one label) or `**.name` (one or more); the apex is never implied. `**` is every host. */
export function matchesHost(pattern: string, host: string): boolean {
  if (pattern === "**") return true;
  if (!pattern.startsWith("*")) return pattern === host;
  const tail = `.${base(pattern)}`;
  if (!host.endsWith(tail) || host.length === tail.length) return false;
  return pattern.startsWith("**.") || !host.slice(0, -tail.length).includes(".");
}

/** Whether every host of the inner pattern is one of the outer. */
export function containsHost(outer: string, inner: string): boolean {
  if (outer === "**" || outer === inner) return true;
  if (!outer.startsWith("*") || inner === "**") return false;
  if (!inner.startsWith("*")) return matchesHost(outer, inner);
  const same = base(inner) === base(outer);
  if (outer.startsWith("**.")) return same || base(inner).endsWith(`.${base(outer)}`);
  return same && !inner.startsWith("**.");
}

/** What is wrong with a host pattern, as a sentence, or null. */
export function hostProblem(pattern: string): string | null {
  if (/[A-Z]/.test(pattern)) return `"${pattern}" has capital letters - write "${pattern.toLowerCase()}"`;
  if (pattern.endsWith(".")) return `"${pattern}" ends with a dot - write it without`;
  if (/[/:@]/.test(pattern)) {
    return `"${pattern}" is more than a host name - ports go under "ports", paths under "paths"`;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be here
  if (/[^\x00-\x7f]/.test(pattern)) {
    const ascii = URL.parse(`http://${base(pattern)}`)?.hostname ?? "";
    const own = pattern.slice(0, pattern.length - base(pattern).length);
    return `"${pattern}" is not ASCII - write its xn-- form${ascii.includes("xn--") ? `, "${own}${ascii}"` : ""}`;
  }
  if (pattern === "**") return null;
  const labels = base(pattern).split(".");
  if (labels.some((label) => !LABEL.test(label))) {
    return `"${pattern}" is not a host name - a wildcard can only be the whole first label: *.name or **.name`;
  }
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) {
    return `"${pattern}" is an address - only names can be granted`;
  }
  return null;
}

/** Why granting this pattern grants too much, or null. */
export function tooBroad(pattern: string): string | null {
  if (pattern === "**") return 'grants every host - "**" can only stand in the ceiling, with "only: ask"';
  const name = base(pattern);
  if (pattern.startsWith("*") && !name.includes(".")) return `grants all of .${name}`;
  const shared = SHARED.find((suffix) => name === suffix || name.endsWith(`.${suffix}`));
  return shared === undefined ? null : `is on ${shared}, where anyone can have an account`;
}
