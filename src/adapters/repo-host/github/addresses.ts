/**
 * Where people and git find what an API address serves: "https://api.github.com" is "https://github.com",
 * "https://ghe.example.com/api/v3" (Enterprise Server) is "https://ghe.example.com", "https://api.acme.ghe.com" (data
 * residency) is "https://acme.ghe.com". The credential for git goes there and nowhere else, whatever an answer says.
 */
export function webUrlOf(apiUrl: string): string {
  const { origin, protocol, host, pathname } = new URL(apiUrl);
  if (/^\/api\/v3\/?$/.test(pathname)) return origin;
  return host.startsWith("api.") ? `${protocol}//${host.slice(4)}` : origin;
}
