import { PAGE_HEADERS, renderPage } from "./frame.ts";
import { h } from "./markup.ts";

/** How pages look, for those that are made elsewhere: the local git host's get it from whoever wires them. */
export const pageLook = { h, page: renderPage, headers: PAGE_HEADERS };
