import { inBrowser, stageOfFile } from "./stage.ts";
import { twoMinutes } from "./two-minutes.ts";

const stage = stageOfFile();

inBrowser("a request becomes a merged pull request with a receipt that anybody can verify", () => twoMinutes(stage));
