import type { Program } from "#adapters/sandbox/memory-process.ts";

/** One program twice: as it is run in a real sandbox, and as the in-memory one plays it. */
export interface ContractProgram {
  readonly argv: readonly string[];
  readonly play: Program;
}

/** 5 MB that hold every byte, NULs, markers of other protocols and no final newline. */
export const BURST = Buffer.alloc(5_000_003, Buffer.from(Array.from({ length: 257 }, (_, at) => at & 255)));

export const PROGRAMS = {
  hello: {
    argv: ["sh", "-c", "echo hello; echo oops >&2; exit 3"],
    play: async (ctx) => {
      ctx.out("hello\n");
      ctx.err("oops\n");
      return 3;
    },
  },
  cat: {
    argv: ["cat"],
    play: async (ctx) => {
      for await (const data of ctx.stdin) ctx.out(data);
      return 0;
    },
  },
  burst: {
    argv: [
      "node",
      "-e",
      "process.stdout.write(Buffer.alloc(5000003, Buffer.from(Array.from({length:257},(_,at)=>at&255))))",
    ],
    play: async (ctx) => {
      for (let at = 0; at < BURST.length; at += 100_000) ctx.out(BURST.subarray(at, at + 100_000));
      return 0;
    },
  },
  markers: {
    argv: ["sh", "-c", "printf 'a\\001\\001\\001b\\002\\002\\002c\\000d'"],
    play: async (ctx) => {
      ctx.out(Buffer.from("a\x01\x01\x01b\x02\x02\x02c\x00d", "latin1"));
      return 0;
    },
  },
  forever: {
    argv: ["sh", "-c", "echo started; sleep 1000 & wait"],
    play: (ctx) => {
      ctx.out("started\n");
      return new Promise<never>(() => undefined);
    },
  },
  environment: {
    argv: ["env"],
    play: async (ctx) => {
      for (const [name, value] of Object.entries(ctx.env)) ctx.out(`${name}=${value}\n`);
      return 0;
    },
  },
  where: {
    argv: ["pwd"],
    play: async (ctx) => {
      ctx.out(`${ctx.cwd}\n`);
      return 0;
    },
  },
  greedy: {
    argv: ["node", "-e", "const held = []; for (;;) held.push(Buffer.alloc(8_000_000, 1))"],
    play: async () => ({ code: null, signal: "SIGKILL", oom: true }),
  },
} as const satisfies Record<string, ContractProgram>;

/** For `memorySandboxes`: the programs above, and nothing else. */
export function contractProgram(argv: readonly string[]): Program | null {
  const wanted = JSON.stringify(argv);
  return Object.values(PROGRAMS).find((program) => JSON.stringify(program.argv) === wanted)?.play ?? null;
}
