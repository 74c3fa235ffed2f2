/**
 * The little of DER (X.690) that writing a certificate takes. Writing only: nothing from outside is ever parsed here.
 */
export type Der = Buffer;

const tlv = (tag: number, body: Buffer): Der => Buffer.concat([Buffer.from([tag]), length(body.length), body]);

function length(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const hex = size.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export const sequence = (...items: Der[]): Der => tlv(0x30, Buffer.concat(items));
export const set = (...items: Der[]): Der => tlv(0x31, Buffer.concat(items));
export const boolean = (value: boolean): Der => tlv(0x01, Buffer.from([value ? 0xff : 0]));
export const octets = (bytes: Buffer): Der => tlv(0x04, bytes);
export const bits = (bytes: Buffer, unused = 0): Der => tlv(0x03, Buffer.concat([Buffer.from([unused]), bytes]));
export const utf8 = (text: string): Der => tlv(0x0c, Buffer.from(text, "utf8"));
/** Context tag, constructed. */
export const explicit = (tag: number, ...items: Der[]): Der => tlv(0xa0 | tag, Buffer.concat(items));
/** Context tag, primitive. */
export const implicit = (tag: number, body: Buffer): Der => tlv(0x80 | tag, body);

/** Unsigned, big-endian, as short as DER demands. */
export function integer(bytes: Buffer): Der {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const body = bytes.subarray(start);
  return tlv(0x02, (body[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), body]) : body);
}

export function oid(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let value = Math.floor(arc / 128); value > 0; value = Math.floor(value / 128))
      digits.unshift((value & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** UTCTime, to the second, as RFC 5280 §4.1.2.5 wants it until 2049. */
export const time = (at: Date): Der =>
  tlv(0x17, Buffer.from(`${at.toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));
