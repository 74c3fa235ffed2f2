/** One edit: the text to find must stand in the file exactly once. */
export interface Place {
  readonly find: string;
  readonly put: string;
}

/**
 * Adds a line at an edge by an edit, so that a file is never rewritten whole. Grows the anchor from the edge until it is
 * unique; `null` when even the whole file would not do.
 */
export function edgeEdit(text: string, line: string, where: "top" | "end"): Place | null {
  const lines = text.replace(/\n+$/, "").split("\n");
  for (let many = 1; many <= lines.length; many += 1) {
    const anchor = (where === "end" ? lines.slice(-many) : lines.slice(0, many)).join("\n");
    if (anchor.trim() === "" || text.split(anchor).length !== 2) continue;
    return { find: anchor, put: where === "end" ? `${anchor}\n${line}` : `${line.trimStart()}\n${anchor}` };
  }
  return null;
}

/**
 * "set version to 2.0.0": the one line that gives `key` a value, in JSON, YAML, ini or code. `null` when no line or more
 * than one does; then the words are meant literally.
 */
export function keyLine(text: string, key: string, value: string): Place | null {
  const name = key.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(
    `^(\\s*(?:(?:export\\s+)?(?:const|let|var)\\s+)?["']?${name}["']?\\s*[:=]\\s*)(["']?)([^"'\\n]*?)\\2([,;]?\\s*)$`,
    "i",
  );
  const found = text.split("\n").filter((line) => pattern.test(line));
  const [line] = found;
  if (line === undefined || found.length > 1 || text.split(line).length !== 2) return null;
  return {
    find: line,
    put: line.replace(
      pattern,
      (_, head: string, quote: string, __, tail: string) => `${head}${quote}${value}${quote}${tail}`,
    ),
  };
}

/** The line that holds `wanted`, to be taken out with its newline: when the person said line, or it stands alone there. */
export function lineWith(text: string, wanted: string, always: boolean): (Place & { readonly line: string }) | null {
  const lines = text.split("\n");
  const hits = lines
    .map((line, at) => ({ line, at }))
    .filter(({ line }) => (always ? line.includes(wanted) : line.trim() === wanted.trim()));
  const [hit] = hits;
  if (!hit || hits.length > 1) return null;
  const after = lines[hit.at + 1];
  const before = lines[hit.at - 1];
  const place: Place | null =
    after !== undefined && after !== ""
      ? { find: `${hit.line}\n${after}`, put: after }
      : before !== undefined && before !== ""
        ? { find: `${before}\n${hit.line}`, put: before }
        : { find: hit.line, put: "" };
  return text.split(place.find).length === 2 ? { ...place, line: hit.line } : null;
}
