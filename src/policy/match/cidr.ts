interface Range {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

function v4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = value * 256n + BigInt(part);
  }
  return value;
}

function v6(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const given = groups.flat();
  if (given.some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return null;
  const missing = 8 - given.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const full = [
    ...(groups[0] ?? []),
    ...Array<string>(halves.length === 1 ? 0 : missing).fill("0"),
    ...(groups[1] ?? []),
  ];
  return full.reduce((value, group) => value * 65536n + BigInt(`0x${group}`), 0n);
}

/** Parses "10.20.0.0/16" or "fd00::/8"; `null` when it is not a range, or has bits set after its prefix. */
function range(text: string): Range | null {
  const slash = text.indexOf("/");
  const [address, length] = [text.slice(0, slash), text.slice(slash + 1)];
  if (slash < 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return null;
  const family = address.includes(":") ? 6 : 4;
  const value = family === 6 ? v6(address) : v4(address);
  const bits = family === 6 ? 128 : 32;
  if (value === null || Number(length) > bits) return null;
  const size = 1n << BigInt(bits - Number(length));
  return value % size === 0n ? { family, first: value, last: value + size - 1n } : null;
}

function inside(outer: Range, inner: Range): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}

/** Whether the outer range holds the whole inner one; false when either is not a range. */
export function containsRange(outer: string, inner: string): boolean {
  const [a, b] = [range(outer), range(inner)];
  return a !== null && b !== null && inside(a, b);
}

/** RFC 1918, RFC 6598 and RFC 4193: what can be a company's own network. Loopback, link-local and metadata never are. */
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

/** What is wrong with a `private:` range, as the end of a sentence, or null. */
export function privateRangeProblem(text: string): string | null {
  if (range(text) === null) return "is not a range like 10.20.0.0/16 (address bits after the prefix must be zero)";
  if (PRIVATE.some((known) => containsRange(known, text))) return null;
  return "is not inside a private network (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7)";
}
