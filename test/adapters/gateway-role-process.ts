import { once } from "node:events";
import { parseConfig } from "#config.ts";
import { gatewayRole } from "#gateway-role.ts";

/** The gateway as `serve --roles gateway` runs it, but given up sooner: DATA_FOLDER ORPHAN_MS. */
const [dataDir = "", orphanMs = ""] = process.argv.slice(2);
const stop = once(process, "SIGTERM").then(() => undefined);
const config = parseConfig({ COUNTERSIGN_DATA: dataDir }, "/");
process.exit(await gatewayRole(config, stop, { orphanMs: Number(orphanMs) }));
