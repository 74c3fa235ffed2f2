/** What differs between processors: the kernel's name of the architecture, and its numbers of the calls. */
interface Numbers {
  readonly arch: number;
  readonly socket: number;
  readonly socketpair: number;
  /** Never needed by a program that builds or tests software, and never asked by one without another way. */
  readonly refused: readonly number[];
}

/** linux/audit.h; arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h. */
const NUMBERS: Readonly<Partial<Record<NodeJS.Architecture, Numbers>>> = {
  // In order: add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd, io_uring_setup, _enter, _register.
  x64: { arch: 0xc000003e, socket: 41, socketpair: 53, refused: [248, 249, 250, 298, 321, 323, 425, 426, 427] },
  arm64: { arch: 0xc00000b7, socket: 198, socketpair: 199, refused: [217, 218, 219, 241, 280, 282, 425, 426, 427] },
};

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: those that a network namespace holds. */
const FAMILIES = [1, 2, 10, 16];

const EAFNOSUPPORT = 97;
const ENOSYS = 38;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
/** On x86-64 the same calls have a second set of numbers from here on. */
const X32 = 0x40000000;

/** Opcodes of classic BPF: linux/bpf_common.h. */
const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const RETURN = 0x06;

/** Offsets in struct seccomp_data: linux/seccomp.h. */
const NUMBER = 0;
const ARCH = 4;
const FIRST_ARGUMENT = 16;

/** Whether a filter for this processor is known; without one there is no sandbox. */
export const hasFilter = (arch: NodeJS.Architecture): boolean => NUMBERS[arch] !== undefined;

/**
 * The filter on system calls that holds for everything inside, as bubblewrap takes it. A network namespace holds no
 * VM socket (AF_VSOCK leads to the hypervisor), no Bluetooth and no packet radio: so only the families that it does hold
 * can be opened. io_uring would open sockets unseen; the kernel's keyrings are those of the one who started us.
 */
export function callFilter(arch: NodeJS.Architecture): Buffer {
  const numbers = NUMBERS[arch];
  if (numbers === undefined) throw new Error(`no filter on system calls is known for ${arch}`);
  const step = (code: number, value: number, ifTrue = 0, ifFalse = 0): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(ifTrue, 2);
    bytes.writeUInt8(ifFalse, 3);
    bytes.writeUInt32LE(value, 4);
    return bytes;
  };
  const refuse = (errno: number) => step(RETURN, ERRNO | errno);
  const last = FAMILIES.length;
  return Buffer.concat([
    // A program for another architecture would have other numbers.
    step(LOAD, ARCH),
    step(IF_EQUAL, numbers.arch, 1),
    step(RETURN, KILL_PROCESS),
    step(LOAD, NUMBER),
    step(IF_AT_LEAST, X32, 0, 1),
    refuse(ENOSYS),
    ...numbers.refused.flatMap((call) => [step(IF_EQUAL, call, 0, 1), refuse(ENOSYS)]),
    step(IF_EQUAL, numbers.socket, 1),
    step(IF_EQUAL, numbers.socketpair, 0, last + 2),
    step(LOAD, FIRST_ARGUMENT),
    ...FAMILIES.map((family, at) => step(IF_EQUAL, family, last - at)),
    refuse(EAFNOSUPPORT),
    step(RETURN, ALLOW),
  ]);
}
