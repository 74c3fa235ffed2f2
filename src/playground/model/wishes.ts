/** One thing a person asked for. */
export type Wish =
  | {
      readonly kind: "replace";
      readonly find: string;
      readonly put: string;
      readonly file: string | null;
      readonly exact: boolean;
    }
  | { readonly kind: "append"; readonly line: string; readonly file: string; readonly where: "top" | "end" }
  | { readonly kind: "create"; readonly file: string; readonly content: string }
  | { readonly kind: "removeText"; readonly text: string; readonly file: string; readonly wholeLine: boolean }
  | { readonly kind: "delete"; readonly file: string }
  | { readonly kind: "move"; readonly from: string; readonly to: string }
  | { readonly kind: "run"; readonly command: string }
  | { readonly kind: "fetch"; readonly url: string }
  | { readonly kind: "show"; readonly file: string }
  | { readonly kind: "search"; readonly text: string }
  | { readonly kind: "ask"; readonly question: string };

/** As a step of a plan: "replace “teh” with “the” in README.md". */
export function intent(wish: Wish): string {
  switch (wish.kind) {
    case "replace":
      return `replace ${said(wish.find)} with ${said(wish.put)}${wish.file ? ` in ${wish.file}` : " where it stands"}`;
    case "append":
      return `add ${said(wish.line)} at the ${wish.where} of ${wish.file}`;
    case "create":
      return `create ${wish.file}`;
    case "removeText":
      return `remove ${said(wish.text)} from ${wish.file}`;
    case "delete":
      return `delete ${wish.file}`;
    case "move":
      return `rename ${wish.from} to ${wish.to}`;
    case "run":
      return `run \`${wish.command}\``;
    case "fetch":
      return `fetch ${wish.url}`;
    case "show":
      return `read ${wish.file}`;
    case "search":
      return `look for ${said(wish.text)}`;
    case "ask":
      return `ask: ${wish.question}`;
  }
}

/** Quoted for people, one line, cut when long. */
export function said(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  const cut = line.length > 60 || text.trim().includes("\n") ? `${line.slice(0, 60)}…` : line;
  return `“${cut}”`;
}
