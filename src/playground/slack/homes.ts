import type { House } from "./house.ts";
import { id, objects, withIds } from "./ids.ts";
import { person } from "./interact.ts";
import { viewJson } from "./shape.ts";
import type { JsonObject, OpenView } from "./world.ts";

/** The app's Home, one per person: what `views.publish` puts there, and the event that asks for it. */

export function publishHome(house: House, user: string, view: JsonObject): OpenView {
  const before = house.world.homes.get(user);
  const viewId = before?.id ?? id("V");
  const home: OpenView = {
    id: viewId,
    user,
    hash: `${Math.floor(house.now() / 1_000)}.${id("")}`,
    rootId: viewId,
    previousId: null,
    view: { ...view, blocks: withIds(objects(view.blocks), "home") },
  };
  house.journal.commit({ op: "home", home });
  return home;
}

/** A person opens the app's Home. Slack sends the view along that they see until the app publishes another. */
export function openHome(house: House, given: { user: string }): void {
  const user = person(house, given.user);
  const home = house.world.homes.get(user.id);
  house.journal.log("person", { act: "home", user: user.id });
  house.deliveries.send("app_home_opened", {
    type: "app_home_opened",
    user: user.id,
    channel: `D0${user.id.slice(2)}`,
    tab: "home",
    ...(home === undefined ? {} : { view: viewJson(house.world, home, {}) }),
    event_ts: house.journal.nextTs(),
  });
}
