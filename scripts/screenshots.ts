import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { become, launch, missingBrowser, opened, threadOf, visit, write } from "#test/e2e/browser.ts";
import { startProduct } from "#test/e2e/product.ts";

/** Takes the pictures of the README anew, from the real product in a real browser: `node scripts/screenshots.ts`. */

const IMAGES = path.resolve(import.meta.dirname, "..", "docs", "images");
const MOST_BYTES = 250_000;
const REQUEST = '@agent fetch https://rates.example.org/today, then append "Rates change daily." to README.md';

const missing = missingBrowser();
if (missing !== null) throw new Error(missing);
mkdirSync(IMAGES, { recursive: true });

const product = await startProduct();
const browser = await launch();
try {
  const page = await visit(browser, product.url, { viewport: { width: 1380, height: 1268 } }, (problem) => {
    throw new Error(`the page has a problem: ${problem}`);
  });
  const thread = threadOf(page);
  await write(page, REQUEST);
  const approve = thread.getByRole("button", { name: /^Approve start/ });
  await approve.waitFor();
  await become(page, "Bo");
  await approve.click();
  await thread.getByText(/signed by ed25519:/).waitFor();
  await thread.getByRole("button", { name: "Dismiss" }).click();
  // Nothing under the pointer, so that no row shows its tools.
  await page.mouse.move(0, 0);
  await thread.screenshot({ path: image("thread") });

  const run = await opened(page, thread.getByRole("link", { name: /^Open the page of run/ }).last());
  await run.getByText("Live: what happens next appears here.").waitFor();
  await run.setViewportSize({ width: 1180, height: 1290 });
  await run.screenshot({ path: image("run") });
} finally {
  await browser.close();
  await product.stop();
}

for (const name of ["thread", "run"]) {
  const { size } = statSync(image(name));
  console.log(`docs/images/${name}.png, ${Math.round(size / 1000)} kB`);
  if (size > MOST_BYTES) throw new Error(`docs/images/${name}.png is larger than ${MOST_BYTES / 1000} kB`);
}

function image(name: string): string {
  return path.join(IMAGES, `${name}.png`);
}
