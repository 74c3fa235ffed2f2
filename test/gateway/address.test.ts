import { expect, test } from "vitest";
import { addressClass, inRanges } from "#gateway/address.ts";

const SELF = new Set(["198.51.100.7"]);

test.each([
  ["93.184.216.34", "public"],
  ["2606:2800:220:1::1", "public"],
  ["10.0.0.5", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.1", "public"],
  ["192.168.1.1", "private"],
  ["100.64.0.1", "private"],
  ["fd12::1", "private"],
  ["127.8.9.1", "loopback"],
  ["::1", "loopback"],
  ["169.254.1.1", "link_local"],
  ["fe80::1", "link_local"],
  ["169.254.169.254", "metadata"],
  ["fd00:ec2::254", "metadata"],
  ["168.63.129.16", "metadata"],
  ["::ffff:10.0.0.1", "embedded"],
  ["::ffff:93.184.216.34", "embedded"],
  ["64:ff9b::a00:1", "embedded"],
  ["2002:a00:1::", "embedded"],
  ["2001:0:53aa:64c::1", "embedded"],
  ["0.0.0.0", "reserved"],
  ["255.255.255.255", "reserved"],
  ["224.0.0.1", "reserved"],
  ["ff02::1", "reserved"],
  ["198.51.100.7", "self"],
  ["not-an-address", "invalid"],
  ["1.2.3", "invalid"],
])("%s is %s", (address, kind) => {
  expect(addressClass(address, SELF)).toBe(kind);
});

test("a range holds its own addresses and nothing of the other family", () => {
  expect(inRanges("10.20.3.4", ["10.20.0.0/16"])).toBe(true);
  expect(inRanges("10.21.3.4", ["10.20.0.0/16"])).toBe(false);
  expect(inRanges("fd12::1", ["10.20.0.0/16", "fd12::/32"])).toBe(true);
  expect(inRanges("10.20.3.4", ["10.20.0.0", "nonsense/8", ""])).toBe(false);
});
