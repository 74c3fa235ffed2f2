import { expect } from "vitest";
import type { Chat } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import type { LinearDouble } from "./double.ts";

/**
 * Has Ana ask for her link in Slack, open it, press, and say yes at Linear as Ana there. An older link is of before. `enter`: where
 * people sign in to the pages, what her browser sends to one of them once she has.
 */
export async function anaSignsIn(
  chat: Chat,
  linear: LinearDouble,
  enter: (path: string) => Promise<string> = async () => "",
): Promise<void> {
  const links = async () => {
    const notes = (await chat.messages("shop")).filter((message) => message.is_ephemeral);
    return notes.flatMap(
      (note) => /http[^"\s|>]+\/identity\/linear\/start\?link=[\w.-]+/.exec(JSON.stringify(note)) ?? [],
    );
  };
  const before = (await links()).length;
  await chat.ask("shop", "link linear");
  const start = new URL(await until("the link that only Ana sees", async () => (await links())[before] ?? null));
  const session = await enter(`${start.pathname}${start.search}`);
  const open = (url: string | URL, ...cookies: string[]) =>
    fetch(url, { headers: { cookie: [session, ...cookies].filter((one) => one !== "").join("; ") } });
  expect(await (await open(start)).text()).toContain("Link a Linear account with Ana");
  const pressed = await fetch(`${start.origin}${start.pathname}`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: start.origin, cookie: session },
    body: new URLSearchParams({ link: start.searchParams.get("link") ?? "" }),
  });
  const back = await linear.oauth.consent(pressed.headers.get("location") ?? "", "Ana");
  const cookie = (pressed.headers.getSetCookie()[0] ?? "").split(";", 1)[0] ?? "";
  expect((await open(back)).status).toBe(400);
  expect(await (await open(back, cookie)).text()).toContain("Ana on Linear is");
  expect(linear.oauth.alive()).toBe(0);
}
