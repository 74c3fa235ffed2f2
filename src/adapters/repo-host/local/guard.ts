import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Why a form was not accepted, for the person who pressed. */
export type FormRefusal = "elsewhere" | "outdated";

const COOKIE = "host_form";

/** Holds forms to the page they came from: same origin, and a token of this browser, this person and this act. */
export interface FormGuard {
  /** The browser's own secret; `setCookie` when it is new. */
  session(request: Request): { id: string; setCookie: string | null };
  token(session: string, person: string, act: string): string;
  check(request: Request, token: unknown, person: string, act: string): FormRefusal | null;
}

/** Tokens live as long as this process: after a restart a page is loaded again before its buttons work. */
export function formGuard(): FormGuard {
  const key = randomBytes(32);

  const token = (session: string, person: string, act: string): string =>
    createHmac("sha256", key)
      .update(JSON.stringify([session, person, act]))
      .digest("base64url");

  return {
    token,
    session(request) {
      const known = cookie(request);
      if (known !== null) return { id: known, setCookie: null };
      const id = randomBytes(24).toString("base64url");
      return { id, setCookie: `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Strict` };
    },
    check(request, given, person, act) {
      if (!sameOrigin(request)) return "elsewhere";
      const session = cookie(request);
      if (session === null || typeof given !== "string") return "outdated";
      const [a, b] = [Buffer.from(token(session, person, act)), Buffer.from(given)];
      return a.length === b.length && timingSafeEqual(a, b) ? null : "outdated";
    },
  };
}

function cookie(request: Request): string | null {
  const found = /(?:^|;\s*)host_form=([A-Za-z0-9_-]{32})(?:;|$)/.exec(request.headers.get("cookie") ?? "");
  return found?.[1] ?? null;
}

/** Browsers send Origin with every form; who sends none is no browser and has no business here. */
function sameOrigin(request: Request): boolean {
  const origin = request.headers.get("origin");
  if (origin === null || !URL.canParse(origin)) return false;
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const { host } = new URL(request.url);
  return new URL(origin).host === (request.headers.get("host") ?? host);
}
