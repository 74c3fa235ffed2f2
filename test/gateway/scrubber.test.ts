import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { scrubber } from "#gateway/credentials.ts";
import { Secret } from "#ports/secret.ts";

const VALUE = "s3cr/t+value";
const { header, body } = scrubber(new Secret("forge", VALUE));
const FORMS = [
  VALUE,
  encodeURIComponent(VALUE),
  Buffer.from(VALUE).toString("base64").replace(/=+$/, ""),
  Buffer.from(VALUE).toString("hex"),
  Buffer.from(VALUE).toString("hex").toUpperCase(),
];

test.each(FORMS)("in a header %s is replaced by its name", (form) => {
  expect(header(`Bearer ${form}; ${form}`)).toBe("Bearer [secret:forge]; [secret:forge]");
});

test.each(FORMS)("in a body %s is replaced, wherever the pieces are cut", async (form) => {
  const whole = Buffer.from(`{"you sent":"${form}","again":"${form}"}`);
  for (let first = 0; first <= whole.length; first += 1) {
    for (const second of [first, Math.min(first + 1, whole.length), Math.min(first + 5, whole.length)]) {
      const pieces = [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)];
      const said = await text(Readable.from(pieces.filter((piece) => piece.length > 0)).pipe(body()));
      expect(said).toBe('{"you sent":"[secret:forge]","again":"[secret:forge]"}');
    }
  }
});

test("what only begins like the secret goes through whole", async () => {
  const said = `${VALUE.slice(0, -1)}X and ${VALUE.slice(0, 5)}`;
  expect(await text(Readable.from([Buffer.from(said)]).pipe(body()))).toBe(said);
});

test.each(["", "a", "ab", "abc", "user:"])(
  "as part of a Basic credential behind %j it cannot be read back",
  async (before) => {
    for (const after of ["", ":", ":x", ":x-oauth-basic"]) {
      const sent = Buffer.from(`${before}${VALUE}${after}`).toString("base64");
      for (let cut = 0; cut <= sent.length; cut += 1) {
        const pieces = [sent.slice(0, cut), sent.slice(cut)].filter((piece) => piece !== "");
        const said = await text(Readable.from(pieces.map((piece) => Buffer.from(piece))).pipe(body()));
        expect(said).toContain("[secret:forge]");
        const left = said.replaceAll("[secret:forge]", "");
        // The characters that it shared with its neighbours.
        expect(sent.length - left.length).toBeGreaterThanOrEqual(Math.floor((VALUE.length * 8) / 6) - 3);
      }
    }
  },
);
