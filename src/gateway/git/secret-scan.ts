/** A credential's shape found in an added line. The value itself is never kept. */
export interface SecretHit {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
}

/** Shapes that vendors chose so that they can be found, after gitleaks' rules of the same names. */
const RULES: readonly (readonly [string, RegExp])[] = [
  ["aws-access-key", /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/],
  ["aws-secret-key", /aws_?secret_?(?:access_?)?key["']?\s*[:=]\s*["']?[A-Za-z0-9/+]{40}\b/i],
  ["github-token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b/],
  ["gitlab-token", /\bglpat-[A-Za-z0-9_-]{20,}/],
  ["slack-token", /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+/],
  ["slack-webhook", /hooks\.slack\.com\/(?:services|workflows)\/[A-Za-z0-9+/]{40,}/],
  ["private-key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----/],
  ["google-api-key", /\bAIza[A-Za-z0-9_-]{35}\b/],
  ["stripe-key", /\b(?:sk|rk)_(?:live|prod)_[A-Za-z0-9]{20,}/],
  ["anthropic-key", /\bsk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{60,}/],
  ["openai-key", /\bsk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{40,}|\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}/],
  ["npm-token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["pypi-token", /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}/],
  ["sendgrid-key", /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b/],
  ["azure-storage-key", /AccountKey=[A-Za-z0-9+/]{86}==/],
];

/** Longer lines are looked at in overlapping windows, so that no line can make a pattern slow or hide behind length. */
const WINDOW = 4_096;
const OVERLAP = 256;
/** Of a longer line no end is waited for. */
const LONG_LINE = 65_536;

/** The rule that a line of text breaks; `null`: none. AWS' own documentation keys end in EXAMPLE and are let pass. */
export function secretIn(line: string): string | null {
  // In UTF-16 every other byte of a credential is zero.
  const text = line.includes("\0") ? line.replaceAll("\0", "") : line;
  for (let at = 0; at < Math.max(1, text.length); at += WINDOW - OVERLAP) {
    const window = text.slice(at, at + WINDOW);
    for (const [rule, pattern] of RULES) {
      const found = pattern.exec(window);
      if (found && !found[0].endsWith("EXAMPLE")) return rule;
    }
    if (at + WINDOW >= text.length) break;
  }
  return null;
}

/**
 * Reads `git diff-tree --stdin -p --unified=0 --text` output as it comes. Hunk headers say how many lines follow, so an
 * added line that looks like a header ("++ b/x") is still an added line.
 */
export function patchScanner(): { push(chunk: Buffer): void; end(): readonly SecretHit[] } {
  const hits = new Map<string, SecretHit>();
  /** What has come of the line under way and was not looked at. Never much longer than a window. */
  let held = "";
  /** The line's first character has been seen, and is this. */
  let kind = "";
  let path = "";
  let line = 0;
  let removed = 0;
  let added = 0;

  function look(text: string, where: string, at: number): void {
    const rule = secretIn(text);
    if (rule) hits.set(`${where}:${at}:${rule}`, { path: where, line: at, rule });
  }

  /** A line too long to wait for its end. Lines of any length that are not added are of no interest. */
  function lookEarly(): void {
    kind ||= held.charAt(0);
    if (kind === "+" && added > 0) look(held, path, line);
    held = held.slice(-OVERLAP);
  }

  function take(text: string): void {
    const first = kind || text.charAt(0);
    kind = "";
    if (removed > 0 || added > 0) {
      if (first === "-") removed -= 1;
      else if (first === "+") {
        look(text, path, line);
        added -= 1;
        line += 1;
      }
      return;
    }
    // An empty file has a name too. It is not repeated, for it is the credential.
    if (text.startsWith("diff --git ")) look(text, "(the name of a file)", 0);
    if (text.startsWith("+++ ")) path = pathOf(text.slice(4));
    const hunk = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(text);
    if (!hunk) return;
    removed = Number(hunk[1] ?? 1);
    line = Number(hunk[2]);
    added = Number(hunk[3] ?? 1);
  }

  return {
    push(chunk) {
      // latin1 keeps every byte one character, so that no encoding can hide a line's end.
      const text = chunk.toString("latin1");
      let at = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
        take(held + text.slice(at, end));
        held = "";
        at = end + 1;
      }
      held += text.slice(at);
      if (held.length > LONG_LINE) lookEarly();
    },
    end() {
      if (held !== "") take(held);
      return [...hits.values()];
    },
  };
}

function pathOf(text: string): string {
  const unquoted = text.startsWith('"') ? text.slice(1, -1) : text.replace(/\t$/, "");
  return Buffer.from(unquoted.replace(/^b\//, ""), "latin1").toString("utf8");
}
