import { daytona } from "./daytona.ts";
import { deliveries } from "./deliveries.ts";
import { linear } from "./linear.ts";
import { memory } from "./memory.ts";
import { mention } from "./mention.ts";
import { overhead } from "./overhead.ts";
import { policy } from "./policy.ts";
import { type Bench, keep, print, summarise } from "./report.ts";
import { sandbox } from "./sandbox.ts";
import { start } from "./start.ts";

/**
 * `npm run bench [name…]`: measured claims, each beside a named peer in the same run. Prints a table and one JSON line
 * for each, writes bench/results/<name>.json and, of all that is kept there, the README beside it. Nothing here passes or fails: a person reads it.
 */
const BENCHES: readonly Bench[] = [mention, linear, deliveries, overhead, sandbox, daytona, start, memory, policy];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`no bench is called ${unknown.join(", ")}: there are ${BENCHES.map((bench) => bench.name).join(", ")}`);
  process.exitCode = 2;
} else {
  for (const bench of BENCHES.filter((one) => wanted.length === 0 || wanted.includes(one.name))) {
    const measured = await bench.run();
    print(bench, measured);
    console.log(keep(bench, measured));
  }
  summarise(BENCHES);
}
