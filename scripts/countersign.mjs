#!/usr/bin/env node
// The `countersign` command: the same bootstrap, always with the command line of the product.
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
process.argv.splice(2, 0, path.join(here, "..", "src", "main.ts"));
await import("./run.mjs");
