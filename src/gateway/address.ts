import { BlockList, isIP } from "node:net";

/**
 * What kind of place an address is. Only "public" is dialled freely; "private" needs a `private:` range in the rule;
 * the rest is never dialled, whatever a rule says. "embedded" hides an IPv4 address inside an IPv6 one.
 */
export type AddressClass =
  | "public"
  | "private"
  | "loopback"
  | "link_local"
  | "metadata"
  | "embedded"
  | "reserved"
  | "self"
  | "invalid";

const RANGES: readonly (readonly [AddressClass, readonly string[]])[] = [
  // Cloud metadata: AWS, GCP and Azure; AWS over IPv6; Alibaba; Azure's wire server; Oracle.
  ["metadata", ["169.254.169.254/32", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"]],
  ["loopback", ["127.0.0.0/8", "::1/128"]],
  ["link_local", ["169.254.0.0/16", "fe80::/10"]],
  // IPv4-mapped, IPv4-compatible, NAT64 (both prefixes), 6to4, Teredo, ISATAP's usual home is link-local.
  ["embedded", ["::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"]],
  // RFC 1918, RFC 6598 (carrier NAT), RFC 4193.
  ["private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]],
  ["reserved", ["0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"]],
  ["reserved", ["::/128", "100::/64", "fec0::/10", "ff00::/8", "5f00::/16"]],
];

const LISTS = RANGES.map(([kind, ranges]) => ({ kind, v4: list(ranges, "ipv4"), v6: list(ranges, "ipv6") }));

/** Classifies one resolver answer. `self`: addresses of this machine and of our own listeners. */
export function addressClass(address: string, self: ReadonlySet<string>): AddressClass {
  const version = isIP(address);
  if (version === 0) return "invalid";
  if (self.has(address)) return "self";
  for (const { kind, v4, v6 } of LISTS) {
    if (version === 4 ? v4.check(address, "ipv4") : v6.check(address, "ipv6")) return kind;
  }
  return "public";
}

/** Whether `address` lies in one of the CIDR `ranges`. A range that cannot be read matches nothing. */
export function inRanges(address: string, ranges: readonly string[]): boolean {
  const version = isIP(address) === 6 ? "ipv6" : "ipv4";
  return list(ranges, version).check(address, version);
}

function list(ranges: readonly string[], version: "ipv4" | "ipv6"): BlockList {
  const result = new BlockList();
  for (const range of ranges) {
    const [network = "", bits = ""] = range.split("/");
    const kind = isIP(network) === 6 ? "ipv6" : "ipv4";
    if (isIP(network) !== 0 && kind === version && /^[0-9]{1,3}$/.test(bits))
      result.addSubnet(network, Number(bits), kind);
  }
  return result;
}
