import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { playgroundSeed } from "#playground/seed.ts";
import type { SeedUser } from "#playground/slack/world.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { until } from "#test/chaos/until.ts";
import { type Command, command, freePort } from "#test/command.ts";
import { cookiesOf, SIGN_IN, signIn, signInApp } from "#test/doubles/slack/sign-in.ts";
import { openStage, type Stage, TOKEN } from "#test/playground/stage.ts";

/**
 * The whole product beside a workspace where people sign in: the real client of OpenID Connect, the real directory, real
 * sessions in the database. The stand-in for slack.com is the playground's server in this process.
 */
const PATIENCE_MS = 120_000;
const root = path.resolve(import.meta.dirname, "..");

const another = (id: string, realName: string): SeedUser => ({
  id,
  name: realName.toLowerCase(),
  realName,
  isBot: false,
  isGuest: false,
  role: "bystander",
  can: "",
});

/** The sample workspace, with Eve, who is in no channel and audits, Fin of another team, and Bo who leads from outside, as Cy does from within. */
function seed() {
  const sample = playgroundSeed();
  return {
    ...sample,
    users: [...sample.users, another("U0EVE", "Eve"), another("U0FIN", "Fin")],
    groups: sample.groups.map((group) => (group.id === "S0LEADS" ? { ...group, users: ["U0BO", "U0CY"] } : group)),
    channels: sample.channels.map((channel) => ({
      ...channel,
      // As no team is called.
      name: channel.id === "C0SHOP" ? "storefront" : channel.name,
      members: channel.members
        .filter((id) => channel.id !== "C0SHOP" || id !== "U0BO")
        .concat(channel.id === "C0SHOP" ? ["U0DEE"] : channel.id === "C0DATA" ? ["U0FIN"] : []),
    })),
  };
}

describe.skipIf(noBubblewrap !== null)("where people sign in", { timeout: PATIENCE_MS }, () => {
  const dir = mkdtempSync(path.join(tmpdir(), "countersign-sign-in-"));
  const policies = path.join(dir, "policies");
  let home = "";
  let stage: Stage;
  let product: Command;
  let env: Record<string, string>;
  let run = "";
  let thread = "";

  const start = async (more: Record<string, string> = { COUNTERSIGN_POLICIES: policies }) => {
    product = command(["serve"], { ...env, ...more });
    await product.says(/Countersign is ready: open (http\S+)\/ and sign in with Slack/);
  };

  beforeAll(async () => {
    const port = await freePort();
    home = `http://127.0.0.1:${port}`;
    cpSync(path.join(root, "policies"), policies, { recursive: true });
    const org = path.join(policies, "org.yaml");
    const changed = readFileSync(org, "utf8")
      .replace("\nrouting:", "  audit: { people: [U0EVE] }\n\nrouting:")
      .replace("\ngroups:", "auditors: group:audit\n\ngroups:");
    writeFileSync(org, changed);
    stage = await openStage({
      seed: seed(),
      eventsUrl: `${home}/slack/events`,
      interactivityUrl: `${home}/slack/interactivity`,
      openid: signInApp(home),
    });
    env = {
      PORT: String(port),
      PUBLIC_URL: home,
      COUNTERSIGN_DATA: path.join(dir, "data"),
      SLACK_BOT_TOKEN: "xoxb-for-tests",
      SLACK_SIGNING_SECRET: "signing-secret-for-tests",
      ...SIGN_IN,
      SLACK_API_URL: `${stage.url}/slack-api/`,
    };
    // The sample repositories come with the sample policy; the one with auditors is put in force after that.
    await start({});
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    thread = await chat.ask("shop", 'append "Orders are shipped from Lyon." to README.md');
    run = await until("Bo is asked, and the run's page is linked", async () => {
      const said = JSON.stringify(await chat.messages("shop"));
      if (!said.includes('"text":"Approve"')) return null;
      return new RegExp(`${home}(/runs/[0-9a-f-]+)`).exec(said)?.[1] ?? null;
    });
    await product.stop();
    await start();
  }, PATIENCE_MS);
  afterAll(async () => {
    await product?.stop();
    await stage?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(product.words().slice(-6_000));
  });

  const ask = (where: string, cookie = "") => fetch(`${home}${where}`, { redirect: "manual", headers: { cookie } });
  const signInAs = (name: string) => signIn({ home, slack: stage.url, name, to: run });
  const cookieOf = async (name: string) => (await signInAs(name)).cookie;

  test("the start link opens no run, and who is not signed in learns nothing", async () => {
    const token = readFileSync(path.join(dir, "data", "keys", "start.txt"), "utf8");
    for (const where of ["/runs", run, "/runs/none", `${run}/events`, `${run}/receipt.json`, `${run}?token=${token}`]) {
      const answer = await ask(where);
      expect([where, answer.status]).toEqual([where, 401]);
      expect(await answer.text()).toContain("Sign in with Slack");
    }
    expect((await ask(`/?token=${token}`)).headers.get("location")).toBe("/runs");
  });

  test.each(["Ana", "Cy"])("%s, who is in the channel, sees the run, its list and its live changes", async (name) => {
    const { answer, cookie } = await signInAs(name);
    expect([answer.status, answer.headers.get("location")]).toEqual([303, run]);
    const page = await ask(run, cookie);
    const shown = await page.text();
    expect([page.status, shown]).toEqual([200, expect.stringContaining("Orders are shipped from Lyon.")]);
    expect(shown).toMatch(/<b>Ana<\/b> in <a href="[^"]*\/archives\/C0SHOP\/p\d+"[^>]*>#storefront<\/a>/);
    const list = await (await ask("/runs", cookie)).text();
    expect(list).toContain(`href="${run}"`);
    expect(list).toContain(`Signed in as <a href="/signin">${name}</a>`);
    const live = await ask(`${run}/events`, cookie);
    expect(live.headers.get("content-type")).toContain("text/event-stream");
    await live.body?.cancel();
  });

  test("Bo, who is asked to approve and is not in the channel, sees the run; so does Eve, who audits", async () => {
    for (const name of ["Bo", "Eve"]) {
      const cookie = await cookieOf(name);
      expect((await ask(run, cookie)).status, name).toBe(200);
      expect(await (await ask("/runs", cookie)).text()).toContain(`href="${run}"`);
    }
  });

  test("Fin, who is a member of another channel, reads what he would read of no run at all", async () => {
    const cookie = await cookieOf("Fin");
    for (const below of ["", "/receipt.json", "/changes.patch", "/events"]) {
      const [hidden, none] = [await ask(`${run}${below}`, cookie), await ask(`/runs/none${below}`, cookie)];
      expect(hidden.status, below).toBe(below === "/events" ? 204 : 404);
      expect([none.status, await none.text()]).toEqual([hidden.status, await hidden.text()]);
    }
    const list = await (await ask("/runs", cookie)).text();
    expect(list).not.toContain(run);
    expect(list).toContain("There is no run that you may see.");
  });

  test("Dee, a guest of that very channel, is not let in", async () => {
    const { answer, cookie } = await signInAs("Dee");
    expect([answer.status, cookie]).toEqual([403, ""]);
  });

  test("a replayed address and a forged state sign nobody in", async () => {
    const { back, attempt } = await signInAs("Ana");
    const where = back.slice(home.length);
    for (const forged of [where, where.replace(/state=[^&]+/, "state=forged"), where.replace(/code=[^&]+/, "code=1")]) {
      const answer = await ask(forged, attempt);
      expect([answer.status, cookiesOf(answer)]).toEqual([400, ""]);
    }
  });

  test("a session outlives a restart, and no other site's page can end it; its own form does", async () => {
    const cookie = await cookieOf("Ana");
    await product.stop();
    await start();
    const page = await (await ask("/signin", cookie)).text();
    const token = /name="token" value="([^"]+)"/.exec(page)?.[1] ?? "";
    const press = (origin: string) =>
      fetch(`${home}/signin/out`, {
        method: "POST",
        redirect: "manual",
        headers: { cookie, origin },
        body: new URLSearchParams({ token }),
      });
    expect((await press("https://evil.example.com")).status).toBe(403);
    expect((await ask(run, cookie)).status).toBe(200);
    expect((await press(home)).status).toBe(303);
    expect((await ask(run, cookie)).status).toBe(401);
  });

  test("the pull request on the local host is read as its run is, and merged by who is neither author nor auditor", async () => {
    const chat = chatOf({ url: stage.url, token: () => TOKEN });
    await until(
      "Cy approves, as Bo is in no channel where he could press",
      async () => (await chat.approve("shop", thread, "U0CY")) > 0,
    );
    const said = async () => JSON.stringify(await chat.messages("shop"));
    const pull = await until("its pull request", async () =>
      new RegExp(`${home}(/code/[\\w/-]+/pull/1)`).exec(await said()),
    );
    const where = pull[1] ?? "";
    const repository = where.replace("/pull/1", "");
    const token = readFileSync(path.join(dir, "data", "keys", "start.txt"), "utf8");
    for (const page of ["/code", repository, where, `${where}?token=${token}`]) {
      const answer = await ask(page);
      expect([page, answer.status]).toEqual([page, 401]);
      expect(await answer.text()).toContain(`/signin?to=${encodeURIComponent(page.split("?", 1)[0] ?? "")}`);
    }
    /** What this person's browser is shown, and what comes of its press. */
    const browser = async (name: string) => {
      const cookie = await cookieOf(name);
      const answer = await ask(where, cookie);
      const page = await answer.text();
      const [, formToken = "", head = ""] =
        /\/close">.*?name="token" value="([^"]+)".*?name="head" value="([^"]+)"/.exec(page) ?? [];
      const press = (act: string, given = formToken) =>
        fetch(`${home}${where}/${act}`, {
          method: "POST",
          redirect: "manual",
          headers: { cookie: `${cookie}; ${cookiesOf(answer)}`, origin: home },
          body: new URLSearchParams({ token: given, head }),
        });
      const mergeToken = /\/merge">.*?name="token" value="([^"]+)"/.exec(page)?.[1] ?? null;
      return { cookie, status: answer.status, page, press, mergeToken };
    };
    const fin = await browser("Fin");
    const none = await ask(`${repository}/pull/99`, fin.cookie);
    expect([fin.status, fin.page]).toEqual([404, await none.text()]);
    expect((await fin.press("merge")).status).toBe(404);
    expect(await (await ask("/code", fin.cookie)).text()).not.toContain(repository);
    expect((await ask(repository, fin.cookie)).status).toBe(404);

    const eve = await browser("Eve");
    expect([eve.status, eve.mergeToken]).toEqual([200, null]);
    expect(eve.page).toContain("It is merged and closed by members of the channel");
    for (const act of ["merge", "close"]) {
      const refused = await eve.press(act, "anything");
      expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining("not decide it")]);
    }

    const ana = await browser("Ana");
    expect([ana.status, ana.mergeToken]).toEqual([200, null]);
    expect(ana.page).toContain("You asked for this change or added to it, so somebody else has to merge it.");
    expect(await (await ask("/code", ana.cookie)).text()).toContain(`href="${repository}"`);
    expect(await (await ask(repository, ana.cookie)).text()).toContain(`href="${where}"`);

    const cy = await browser("Cy");
    expect((await cy.press("merge", cy.mergeToken ?? "")).status).toBe(303);
    await until("the thread says who merged", async () => /Cy merged pull request/.test(await said()));
  });

  test("neither the client's secret nor a session is in what the product says", async () => {
    const cookie = await cookieOf("Ana");
    const [, value = "nothing"] = /countersign_session=([^;]+)/.exec(cookie) ?? [];
    expect(product.words()).not.toContain(SIGN_IN.SLACK_CLIENT_SECRET);
    expect(product.words()).not.toContain(value);
  });
});
