// The pictures of docs/web.md, from the built site: `node test/screens.mjs ../docs/images`

import path from "node:path";

import { drawn, fixtures, launch, opened } from "./page_browser.mjs";
import { serve } from "../serve.mjs";

const VIEWS = {
  "web-desktop": { viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  "web-phone": { viewport: { width: 390, height: 844 }, colorScheme: "dark", deviceScaleFactor: 1.5 },
};

fixtures();
const [browser, site] = await Promise.all([launch(), serve()]);
for (const [name, context] of Object.entries(VIEWS)) {
  const { page, close } = await opened(browser, site.url, { context });
  await page.click("#sample");
  await drawn(page);
  await page.check('input[value="picture"]', { force: true });
  if (name === "web-desktop") await page.locator("#split").fill("30");
  for (let k = 0; k < 9; k++) {
    await page.click("#sample");
    await page.waitForTimeout(400);
  }
  await page.mouse.move(2, 2);
  await page.evaluate(() => {
    /** @type {HTMLElement} */ (document.activeElement).blur();
    scrollTo(0, 0);
  });
  await page.waitForTimeout(600);
  await page.screenshot({ path: path.join(process.argv[2], `${name}.png`) });
  await close();
}
await browser.close();
await site.stop();
