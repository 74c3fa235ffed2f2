/** Where people find what an API address serves: "https://api.linear.app" is "https://linear.app". */
export function linearWebUrl(apiUrl: string): string {
  const { origin, protocol, host } = new URL(apiUrl);
  return host.startsWith("api.") ? `${protocol}//${host.slice(4)}` : origin;
}
