import { expect } from "vitest";
import type { Visitor } from "#test/chaos/page.ts";
import { signIn } from "#test/doubles/slack/sign-in.ts";
import type { Outside } from "./outside.ts";

/** A person who opens a run's page as people do: it asks who they are, and Slack says so. */
export async function signedIn({ house, slack }: Outside, name: string, runId: string): Promise<Visitor> {
  const to = `/runs/${runId}`;
  const asked = await fetch(`${house.url}${to}`);
  expect([asked.status, await asked.text()]).toEqual([401, expect.stringContaining("Sign in with Slack")]);
  const { answer, cookie } = await signIn({ home: house.url, slack: slack.url, name, to });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, to]);
  return { url: house.url, token: house.token, cookie };
}
