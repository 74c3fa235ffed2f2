/** Where things lie in a hosted sandbox. Every base system has a home; nothing else is sure to be writable. */
export const INSIDE = {
  workdir: "/workspace",
  home: "/home/agent",
  /** Of the host: control socket, journals, log. */
  run: "/home/agent/.countersign/run",
  /** By the digest of what is in them. */
  images: "/home/agent/.countersign/images",
  /** Leads to the one of `images` that is this sandbox's. */
  image: "/home/agent/.countersign/image",
  /** Folders that are uploaded, each under a name of its own. */
  uploads: "/home/agent/.countersign/up",
} as const;

/** A word for a shell. */
export const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
