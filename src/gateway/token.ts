/** The password of a Basic credential, or a Bearer token. `null`: absent, doubled or not one of the two. */
export function tokenOf(values: string | readonly string[] | undefined): string | null {
  const list = values === undefined ? [] : typeof values === "string" ? [values] : values;
  const [value] = list;
  if (list.length !== 1 || value === undefined) return null;
  const [scheme = "", credential = "", ...more] = value.trim().split(/ +/);
  if (more.length > 0 || credential === "") return null;
  if (scheme.toLowerCase() === "bearer") return credential;
  if (scheme.toLowerCase() !== "basic" || !/^[A-Za-z0-9+/]+={0,2}$/.test(credential)) return null;
  const text = Buffer.from(credential, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 || colon === text.length - 1 ? null : text.slice(colon + 1);
}
