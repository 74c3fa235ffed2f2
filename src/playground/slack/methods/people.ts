import { CREATED, groupJson, userJson } from "#playground/slack/shape.ts";
import { type Call, flag, knownUser, type Method, page, refuse, str } from "./call.ts";

const bot = (call: Call) => {
  const { app } = call.house.world.seed;
  return {
    id: app.botId,
    deleted: false,
    name: "agent",
    updated: CREATED,
    app_id: app.id,
    user_id: app.botUser,
    icons: {},
  };
};

const authTest: Method = (call) => {
  const { app, team } = call.house.world.seed;
  return {
    ok: true,
    url: `${call.origin}/`,
    team: team.name,
    user: knownUser(call, app.botUser)?.name ?? "agent",
    team_id: team.id,
    user_id: app.botUser,
    bot_id: app.botId,
    is_enterprise_install: false,
  };
};

const usersInfo: Method = (call) => {
  const user = knownUser(call, str(call, "user"));
  return user ? { ok: true, user: userJson(call.house.world, user) } : refuse("user_not_found");
};

const usersList: Method = (call) => {
  const { world } = call.house;
  const { items, next } = page(
    call,
    world.seed.users.map((user) => userJson(world, user)),
    1_000,
  );
  return { ok: true, members: items, cache_ts: CREATED, response_metadata: { next_cursor: next } };
};

const lookupByEmail: Method = (call) => {
  const { world } = call.house;
  const found = world.seed.users.find((user) => !user.isBot && `${user.name}@example.com` === str(call, "email"));
  return found ? { ok: true, user: userJson(world, found) } : refuse("users_not_found");
};

const groupsList: Method = (call) => {
  const { world } = call.house;
  const withUsers = flag(call, "include_users");
  return { ok: true, usergroups: [...world.groups.values()].map((group) => groupJson(world, group, withUsers)) };
};

const groupUsers: Method = (call) => {
  const group = call.house.world.groups.get(str(call, "usergroup"));
  return group ? { ok: true, users: group.users } : refuse("no_such_subteam");
};

const botsInfo: Method = (call) => {
  const asked = str(call, "bot");
  return asked === "" || asked === call.house.world.seed.app.botId
    ? { ok: true, bot: bot(call) }
    : refuse("bot_not_found");
};

const teamInfo: Method = (call) => {
  const { team } = call.house.world.seed;
  return { ok: true, team: { id: team.id, name: team.name, domain: team.domain, email_domain: "", icon: {} } };
};

const apiTest: Method = (call) => {
  const error = str(call, "error");
  const { token: _, ...args } = call.args;
  return error ? refuse(error, { args }) : { ok: true, args };
};

export const PEOPLE: Readonly<Record<string, Method>> = {
  "api.test": apiTest,
  "auth.test": authTest,
  "users.info": usersInfo,
  "users.list": usersList,
  "users.lookupByEmail": lookupByEmail,
  "usergroups.list": groupsList,
  "usergroups.users.list": groupUsers,
  "bots.info": botsInfo,
  "team.info": teamInfo,
};
