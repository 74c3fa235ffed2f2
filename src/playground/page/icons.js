// @ts-check
/** Marks are drawn: a plain Debian has no emoji font, and a mark keeps its meaning in one colour. */

/** @type {Record<string, string>} Stroke paths in a 16 by 16 box. */
const PATHS = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  dot: "M8 8h.01",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.2l2 1.3",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  alert: "M8 2.2 14.4 13.4H1.6zM8 6.4v3.2M8 11.6h.01",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 7.4v3.6M8 5h.01",
  stop: "M4.5 4.5h7v7h-7z",
  send: "M2.5 8h9M8 3.5 12.5 8 8 12.5",
  reply: "M6.5 4 2.5 8l4 4M3 8h6.5a4 4 0 0 1 4 4v.5",
  hash: "M6.2 2.5 4.8 13.5M11.2 2.5 9.8 13.5M2.8 6h11M2.2 10h11",
  people:
    "M6 7.6a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13c.3-2.6 1.9-4 4.2-4s3.900 1.400 4.200 4M10.600 7.400a2 2 0 1 0-.7-3.900M11.600 9.300c1.500.4 2.400 1.700 2.600 3.700",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.500h11",
  smile:
    "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM5.500 9.500c.6 1 1.400 1.500 2.500 1.500s1.900-.5 2.500-1.500M6 6.300h.01M10 6.300h.01",
  thread: "M2.500 3.500h11v7h-6l-3 2.500v-2.500h-2z",
  play: "M5.500 3.500v9l7-4.500z",
  thumb:
    "M5 7.500v5.500H2.500V7.500zM5 7.500 7.500 2.500c1 0 1.700.8 1.500 1.800L8.600 6.500h3.700c.9 0 1.500.8 1.300 1.700l-.9 3.600c-.2.7-.8 1.200-1.500 1.200H5",
  fold: "M4 6l4 4 4-4",
  trash: "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.5 8.500h6l.5-8.500",
  flag: "M4 14V2.500M4 3h7.500l-1.500 2.500L11.500 8H4",
};

/** Slack's reaction names, as marks. Others are shown by name. */
export const REACTIONS = /** @type {Record<string, { icon: string, word: string }>} */ ({
  eyes: { icon: "eye", word: "seen" },
  white_check_mark: { icon: "check", word: "done" },
  heavy_check_mark: { icon: "check", word: "done" },
  ballot_box_with_check: { icon: "check", word: "done" },
  x: { icon: "cross", word: "no" },
  no_entry: { icon: "stop", word: "stopped" },
  octagonal_sign: { icon: "stop", word: "stop" },
  "+1": { icon: "thumb", word: "good" },
  hourglass: { icon: "clock", word: "waiting" },
  hourglass_flowing_sand: { icon: "clock", word: "waiting" },
  warning: { icon: "alert", word: "careful" },
  rocket: { icon: "play", word: "started" },
  checkered_flag: { icon: "flag", word: "finished" },
  speech_balloon: { icon: "thread", word: "talk" },
});

/**
 * @param {string} name
 * @param {string} [label] read aloud; without it the mark is decoration beside its word
 */
export function icon(name, label) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.dot ?? "");
  svg.append(path);
  return svg;
}
