import { afterEach, beforeEach, expect, test } from "vitest";
import { parseConfig } from "#config.ts";
import { examineLinear } from "#linear.ts";
import { StartError } from "#parts.ts";
import { type LinearDouble, linearDouble } from "#test/doubles/linear/double.ts";

let linear: LinearDouble;
beforeEach(async () => {
  linear = await linearDouble({ users: [{ name: "Ana" }], teams: ["SHOP"] });
});
afterEach(() => linear.close());

/** What a start makes of this token. */
const examine = (token: string) =>
  examineLinear(
    parseConfig(
      {
        SLACK_BOT_TOKEN: "xoxb-1",
        SLACK_SIGNING_SECRET: "s",
        LINEAR_ACCESS_TOKEN: token,
        LINEAR_WEBHOOK_SECRET: linear.webhookSecret,
        LINEAR_API_URL: linear.apiUrl,
      },
      "/",
    ),
    () => undefined,
  );

test("a token of the app is taken, and says whose it is and where", async () => {
  expect(await examine(linear.token())).toMatchObject({ organization: linear.organization, appUser: linear.app.id });
  expect(linear.problems).toEqual([]);
});

test("a token of a person is refused: what we do there would be theirs", async () => {
  const refused = await examine(linear.token("Ana")).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StartError);
  expect(refused).toMatchObject({
    message:
      "LINEAR_ACCESS_TOKEN is Ana's own: an app acts as itself. Make a token with actor=app (docs/linear.md), or set LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET",
  });
});

test("a token that Linear does not know is refused with where to find one", async () => {
  const token = linear.token();
  linear.revoke();
  const refused = await examine(token).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StartError);
  expect(refused).toMatchObject({
    message: expect.stringMatching(/^Linear refuses LINEAR_ACCESS_TOKEN \(.+\): copy them from the app's page/),
  });
});
