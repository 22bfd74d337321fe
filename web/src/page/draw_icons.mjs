// Draws public/icons/*.png from icon.svg: `node src/page/draw_icons.mjs`, needed only when the drawing changes.

import { readFile } from "node:fs/promises";

import { launch } from "../../test/page_browser.mjs";

const icons = new URL("../../public/icons/", import.meta.url);
const drawing = await readFile(new URL("icon.svg", icons), "utf8");
const browser = await launch();
for (const side of [192, 512]) {
  const page = await browser.newPage({ viewport: { width: side, height: side } });
  await page.setContent(`<style>body { margin: 0 } svg { display: block; width: 100vw }</style>${drawing}`);
  await page.screenshot({ path: new URL(`icon-${side}.png`, icons).pathname });
}
await browser.close();
