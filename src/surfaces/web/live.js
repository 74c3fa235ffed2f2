// @ts-check
// Adds what happens to a run while its page is open. The page is whole without this file.

/** @typedef {{ id: string, parent: string | null, version: string, html: string }} Fragment */

localTimes(document);
const run = document.getElementById("run");
if (run instanceof HTMLElement && run.dataset.events !== undefined)
  follow(run.dataset.events, run.dataset.version ?? "");

/**
 * @param {string} address
 * @param {string} version
 */
function follow(address, version) {
  const source = new EventSource(`${address}?version=${encodeURIComponent(version)}`);
  source.addEventListener("open", () => say("Live: what happens next appears here."));
  source.addEventListener("error", () => {
    const gone = source.readyState === EventSource.CLOSED;
    say(gone ? "Not live any more. Reload to see what happened since." : "Connection lost. Trying again.");
  });
  source.addEventListener("changes", (event) => {
    /** @type {{ title: string, fragments: Fragment[] }} */
    const { title, fragments } = JSON.parse(event.data);
    document.title = title;
    keepPlace(() => fragments.forEach(apply));
  });
  source.addEventListener("over", () => {
    source.close();
    say("This run is over.");
  });
}

/** @param {string} words */
function say(words) {
  const line = document.getElementById("live");
  if (line !== null && line.textContent !== words) line.textContent = words;
}

/** @param {Fragment} fragment */
function apply({ id, parent, version, html }) {
  const old = document.getElementById(id);
  if (old?.dataset.v === version) return;
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  if (!(fresh instanceof HTMLElement)) return;
  localTimes(fresh);
  if (old === null) {
    fresh.classList.add("new");
    document.getElementById(parent ?? "")?.append(fresh);
    return;
  }
  const active = document.activeElement;
  const focused = active === null ? -1 : [...old.querySelectorAll("a, summary, pre")].indexOf(active);
  const before = [...old.querySelectorAll("details")];
  for (const [i, details] of [...fresh.querySelectorAll("details")].entries()) {
    const was = before[i];
    if (was !== undefined) details.open = was.open;
  }
  const scrolled = [...old.querySelectorAll("pre")].map((pre) => [pre.scrollTop, pre.scrollLeft]);
  old.replaceWith(fresh);
  for (const [i, pre] of [...fresh.querySelectorAll("pre")].entries()) {
    pre.scrollTop = scrolled[i]?.[0] ?? 0;
    pre.scrollLeft = scrolled[i]?.[1] ?? 0;
  }
  const again = [...fresh.querySelectorAll("a, summary, pre")][focused];
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
}

/**
 * What the reader is looking at stays where it is on the screen, whatever grows above it.
 * @param {() => void} change
 */
function keepPlace(change) {
  const seen = [...document.querySelectorAll("#run section, #run li, #head")].find((element) => {
    const box = element.getBoundingClientRect();
    return box.height > 0 && box.top >= 0;
  });
  const id = seen?.id || undefined;
  const top = seen?.getBoundingClientRect().top ?? 0;
  const at = window.scrollY;
  change();
  const same = id === undefined ? seen : document.getElementById(id);
  if (!same || at === 0) return;
  const moved = same.getBoundingClientRect().top - top;
  if (Math.abs(moved) >= 1) window.scrollBy({ top: moved, behavior: "instant" });
}

/**
 * Times were written in UTC; the reader's clock shows them in its own zone, and says so on hover.
 * @param {ParentNode} root
 */
function localTimes(root) {
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    time.title = full.format(at);
    time.textContent = (time.textContent ?? "").replace(/\d\d:\d\d:\d\d/, clock.format(at));
  }
}
