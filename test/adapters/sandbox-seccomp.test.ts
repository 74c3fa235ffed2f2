import { describe, expect, test } from "vitest";
import { callFilter, hasFilter } from "#adapters/sandbox/local/seccomp.ts";

/** What the kernel would answer: classic BPF over struct seccomp_data, with the four opcodes that the filter uses. */
function judge(filter: Buffer, call: { arch: number; number: number; first?: number }): number {
  const data = new Map([
    [0, call.number],
    [4, call.arch],
    [16, call.first ?? 0],
  ]);
  let held = 0;
  for (let at = 0; at * 8 < filter.length; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const [yes, no] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const value = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return value;
    else if (code === 0x20) held = data.get(value) ?? Number.NaN;
    else if (code === 0x15) at += held === value ? yes : no;
    else if (code === 0x35) at += held >= value ? yes : no;
    else throw new Error(`an opcode that is not in use: ${code}`);
  }
  throw new Error("the filter runs out");
}

const ALLOW = 0x7fff0000;
const NO_SUCH_CALL = 0x00050000 | 38;
const NO_SUCH_FAMILY = 0x00050000 | 97;
const KILL = 0x80000000;

describe.each([
  // Numbers of socket, socketpair, read, execve, keyctl and bpf, each from the kernel's own tables.
  ["x64", { arch: 0xc000003e, socket: 41, pair: 53, plain: [0, 59], refused: [250, 321] }],
  ["arm64", { arch: 0xc00000b7, socket: 198, pair: 199, plain: [63, 221], refused: [219, 280] }],
] as const)("the filter on system calls, on %s", (name, { arch, socket, pair, plain, refused }) => {
  const filter = callFilter(name);
  const said = (number: number, first = 0) => judge(filter, { arch, number, first });

  test("a socket opens in the families that a network namespace holds, and in no other", () => {
    for (const number of [socket, pair]) {
      const open = Array.from({ length: 64 }, (_, family) => family).filter((one) => said(number, one) === ALLOW);
      expect(open).toEqual([1, 2, 10, 16]);
      expect(said(number, 40)).toBe(NO_SUCH_FAMILY);
      expect(said(number, 0xffffffff)).toBe(NO_SUCH_FAMILY);
    }
  });

  test("what programs live on is let through, and what opens sockets or keys unseen is not there", () => {
    for (const number of plain) expect(said(number, 40)).toBe(ALLOW);
    for (const number of [...refused, 425, 426, 427]) expect(said(number)).toBe(NO_SUCH_CALL);
  });

  test("a program for another architecture is ended, and a second set of numbers does not exist", () => {
    expect(judge(filter, { arch: 0x40000003, number: 102 })).toBe(KILL);
    expect(said(0x40000000 + socket, 40)).toBe(NO_SUCH_CALL);
  });
});

test("a processor without a known filter has none made up for it", () => {
  expect(hasFilter("s390x")).toBe(false);
  expect(() => callFilter("s390x")).toThrow("no filter on system calls is known for s390x");
});
