import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { z } from "zod";

/** How long a person may take elsewhere. */
export const ATTEMPT_S = 10 * 60;

/** What a browser takes along that we send elsewhere, and has to come back with. */
export interface Attempts<T> {
  /** This browser begins. Nobody on its way may keep our answer. */
  begin(c: Context, attempt: T): void;
  /** What it began with, once, whatever comes of it; `null`: it began nothing here. */
  take(c: Context): T | null;
}

/** An attempt as a cookie holds it. */
interface Written<T> {
  write(attempt: T): string;
  /** Throws on what is none of ours. */
  read(text: string): T;
}

/** Several values, of this shape. */
export const asJson = <T>(shape: z.ZodType<T>): Written<T> => ({
  write: (attempt) => Buffer.from(JSON.stringify(attempt)).toString("base64url"),
  read: (text) => shape.parse(JSON.parse(Buffer.from(text, "base64url").toString("utf8"))),
});

/** One value, as it is. */
export const asText = (shape: z.ZodType<string>): Written<string> => ({ write: (text) => text, read: shape.parse });

/**
 * Keeps the attempt in a cookie of the browser's own, for `ATTEMPT_S`: not for scripts, not for requests that other sites
 * make, and over https for this host alone. `name`: without the prefix that says so. `baseUrl`: where people open us.
 */
export function attemptCookie<T>(o: {
  readonly name: string;
  readonly baseUrl: string;
  readonly holds: Written<T>;
}): Attempts<T> {
  const https = new URL(o.baseUrl).protocol === "https:";
  const name = `${https ? "__Host-" : ""}${o.name}`;
  const cookie = { path: "/", httpOnly: true, secure: https, sameSite: "Lax" } as const;
  return {
    begin(c, attempt) {
      setCookie(c, name, o.holds.write(attempt), { ...cookie, maxAge: ATTEMPT_S });
      c.header("cache-control", "no-store");
    },
    take(c) {
      const value = getCookie(c, name);
      deleteCookie(c, name, cookie);
      try {
        return value === undefined ? null : o.holds.read(value);
      } catch {
        // A cookie is whatever its browser says.
        return null;
      }
    },
  };
}
