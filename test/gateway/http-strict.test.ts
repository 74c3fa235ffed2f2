import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalPath, isHost } from "#gateway/http-strict.ts";
import { tokenOf } from "#gateway/token.ts";

test.each([
  ["/v1/x", "/v1/x"],
  ["/v1/x?q=../..", "/v1/x"],
  ["/", "/"],
  ["/v1/", "/v1/"],
  ["/a%20b", "/a b"],
  ["/@scope%2fname", "/@scope/name"],
])("%s is read as %s", (target, path) => {
  expect(canonicalPath(target)).toBe(path);
});

test.each([
  "/v1/../admin",
  "/v1/./x",
  "/v1/%2e%2e/admin",
  "/v1/%2e%2e%2fadmin",
  "/v1/..;/admin",
  "/v1/%252e%252e/admin",
  "//admin",
  "/v1//x",
  "/v1/x%00",
  "/v1\\..\\admin",
  "/v1/%5c..",
  "/%zz",
  "/%ff",
  "v1/x",
  "",
])("%s could be read in two ways and is refused", (target) => {
  expect(canonicalPath(target)).toBeNull();
});

test("a path that is let through is what the URL parser makes of it, so nothing moves on the way", () => {
  fc.assert(
    fc.property(fc.webPath(), (target) => {
      const path = canonicalPath(target === "" ? "/" : target);
      if (path === null) return;
      const url = new URL(target === "" ? "/" : target, "http://h.test");
      expect(decodeURIComponent(url.pathname)).toBe(path);
    }),
  );
});

test("a Host header may leave the scheme's own port out, and nothing else", () => {
  expect(isHost("a.test", "a.test", 443, 443)).toBe(true);
  expect(isHost("A.test.:443", "a.test", 443, 443)).toBe(true);
  expect(isHost("a.test", "a.test", 8443, 443)).toBe(false);
  expect(isHost("a.test:8443", "a.test", 8443, 443)).toBe(true);
  expect(isHost("b.test", "a.test", 443, 443)).toBe(false);
  expect(isHost(undefined, "a.test", 443, 443)).toBe(false);
});

test("a token is a Basic password or a Bearer value, once", () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  expect(tokenOf(basic("run:abc"))).toBe("abc");
  expect(tokenOf(basic("run:a:b"))).toBe("a:b");
  expect(tokenOf("bearer abc")).toBe("abc");
  expect(tokenOf(basic("run:"))).toBeNull();
  expect(tokenOf(basic("run"))).toBeNull();
  expect(tokenOf("Basic !!!")).toBeNull();
  expect(tokenOf("Digest abc")).toBeNull();
  expect(tokenOf("Bearer a b")).toBeNull();
  expect(tokenOf(["Bearer a", "Bearer b"])).toBeNull();
  expect(tokenOf(undefined)).toBeNull();
});
