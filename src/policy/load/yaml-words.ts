/** A syntax error of the YAML parser, as it gives it. */
interface SyntaxError {
  readonly code: string;
  readonly message: string;
}

/** After one of these the parser no longer knows where it is: what it says then is about nothing that was written. */
const LOST = ["UNEXPECTED_TOKEN", "MULTILINE_IMPLICIT_KEY", "MISSING_CHAR", "IMPOSSIBLE"];
const isLost = ({ code, message }: SyntaxError) =>
  LOST.includes(code) || (code === "BAD_INDENT" && message.startsWith("Flow"));

/** The errors up to the one after which nothing is believed; `lost` says whether there is one. */
export function believed<Item extends SyntaxError>(
  errors: readonly Item[],
): { readonly errors: readonly Item[]; readonly lost: boolean } {
  const end = errors.findIndex(isLost);
  return end < 0 ? { errors, lost: false } : { errors: errors.slice(0, end + 1), lost: true };
}

const WORDS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: "holds more than one document (---) - keep one per file",
  TAB_AS_INDENT: "is not valid YAML: a tab cannot indent - use spaces",
  BLOCK_AS_IMPLICIT_KEY:
    'is not valid YAML: a second ": " in one line - put quotes around the text, or begin a new line',
  MULTILINE_IMPLICIT_KEY: 'is not valid YAML: a line without ": " - write "key: value"',
  UNEXPECTED_TOKEN:
    "is not valid YAML: nothing belongs here - look for a bracket, a quote or a dash too many before it",
  NON_STRING_KEY: "a key must be plain text - put quotes around it",
};

/** The parser's error as a sentence that says what to do. */
export function yamlWords({ code, message }: SyntaxError): string {
  const said = message.split("\n")[0] ?? message;
  const known = WORDS[code];
  if (known !== undefined) return known;
  if (code === "BAD_SCALAR_START") {
    return `is not valid YAML: a text cannot begin with ${said.slice(-1)} - put quotes around it`;
  }
  if (code === "BAD_INDENT" && said.startsWith("Flow")) {
    const [open, close] = said.endsWith("]") ? ["[", "]"] : ["{", "}"];
    return `is not valid YAML: the "${open}" before this is not closed - end it with "${close}"`;
  }
  if (code === "BAD_INDENT") return "is not valid YAML: indented unlike its neighbours - line it up with them";
  if (code === "MISSING_CHAR" && said.endsWith("quote")) {
    return "is not valid YAML: a quote that opens before this is not closed";
  }
  if (code === "MISSING_CHAR" && said.startsWith("Implicit")) return WORDS.MULTILINE_IMPLICIT_KEY ?? said;
  if (code === "BAD_DQ_ESCAPE") return `is not valid YAML: ${said} - use single quotes, or write \\\\`;
  return `is not valid YAML: ${said}`;
}

/** An alias is most often a wildcard that lacks its quotes: `*.example.com` is the alias ".example.com". */
export function aliasWords(name: string): string {
  return /^[\w-]+$/.test(name)
    ? "aliases (*name) are not read - write the value again"
    : `a text that begins with * needs quotes - write "*${name}"`;
}

/** The parser resolves "!!float" to its long name. */
export function tagWords(tag: string): string {
  return `the tag ${tag.replace(/^tag:yaml\.org,2002:/, "!!")} is not read - write the plain value`;
}
