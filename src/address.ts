const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|::1|\[::1\])$/;

/** Whether only this machine reaches a host; as it is listened on or as it stands in a URL. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** Whether nobody between a browser and us can read along. */
export function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || isLoopback(hostname);
}
