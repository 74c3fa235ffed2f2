/** What an installation token may do. */
export interface Granted {
  readonly permissions: Readonly<Record<string, string>>;
  readonly installation: number;
  /** "acme/shop"; `null`: every repository of the installation. */
  readonly repositories: readonly string[] | null;
}

/** Every installation token that was given out, as the emulator gave it: it checks none of them on a public repository. */
export function tokenBook() {
  const all = new Map<string, Granted>();
  return {
    keep(installation: number, answer: unknown): void {
      const { token, permissions, repositories } = answer as {
        token: string;
        permissions: Record<string, string>;
        repositories?: { full_name: string }[];
      };
      const names = repositories?.map((one) => one.full_name) ?? null;
      all.set(token, { permissions, installation, repositories: names });
    },
    /** Of "token x", "Bearer x" or git's "Basic …"; `null`: none of ours. */
    of(authorization: string | undefined): Granted | null {
      const [scheme = "", value = ""] = (authorization ?? "").split(" ");
      const token =
        scheme.toLowerCase() === "basic"
          ? Buffer.from(value, "base64")
              .toString("utf8")
              .replace(/^[^:]*:/, "")
          : value;
      return all.get(token) ?? null;
    },
  };
}

/** Whether git may do this with the token. */
export function mayGit(granted: Granted | null, repo: string, writes: boolean): boolean {
  if (granted === null || !(granted.repositories ?? [repo]).includes(repo)) return false;
  const contents = granted.permissions.contents;
  return contents === "write" || (!writes && contents === "read");
}
