// A browser with a drawn camera for the page's tests, and what is asserted of every page it opens.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { PATIENCE_MS, launch as launchPlain } from "./harness.mjs";

const WEB = fileURLToPath(new URL("..", import.meta.url));
export const FIXTURES = path.join(WEB, ".fixtures", "page");

/** Drawn once: clip.mp4, clip.webm, camera.y4m and the arrays of the compositor's test. */
export function fixtures() {
  const [maker, last] = [path.join(WEB, "test/page_fixtures.py"), path.join(FIXTURES, "camera.y4m")];
  if (existsSync(last) && statSync(last).mtimeMs > statSync(maker).mtimeMs) return;
  const ours = path.join(WEB, "..", ".venv", "bin", "python");
  const env = { ...process.env, PYTHONPATH: path.join(WEB, "..", "runtime") };
  execFileSync(existsSync(ours) ? ours : "python3", [maker, FIXTURES], { env, stdio: "inherit" });
}

/** A browser whose camera plays camera.y4m, and that asks nobody. */
export function launch() {
  const camera = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-video-capture=${path.join(FIXTURES, "camera.y4m")}`,
  ];
  return launchPlain(["--autoplay-policy=no-user-gesture-required", ...camera]);
}

/**
 * A page at `url` that holds what every page must: no console error, no request to another origin.
 * @param {import("playwright-core").Browser} browser
 * @param {{context?: any, before?: (page: any) => Promise<void>}} [options]
 */
export async function opened(browser, url, { context = {}, before } = {}) {
  const where = await browser.newContext({
    viewport: { width: 960, height: 640 },
    acceptDownloads: true,
    serviceWorkers: "block",
    ...context,
  });
  const errors = [];
  where.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin)
      errors.push(`request to ${request.url()}`);
  });
  where.on("console", (message) => message.type() === "error" && errors.push(`console: ${message.text()}`));
  where.on("weberror", (error) => errors.push(`page: ${error.error().message}`));
  const page = await where.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await before?.(page);
  await page.goto(url);
  return {
    page,
    errors,
    async close() {
      await where.close();
      assert.deepEqual(errors, []);
    },
  };
}

/** Until the page shows a picture. */
export const drawn = (page) =>
  page.waitForFunction(() => document.getElementById("stage").classList.contains("showing"));

/** Colours of the canvas at these places, each 0 to 1 across and down. */
export async function coloursAt(page, places) {
  return page.evaluate(async (places) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("canvas"));
    const repaint = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await repaint();
    await repaint();
    const frame = await new Promise((resolve) =>
      requestAnimationFrame(() => {
        document.getElementById("wrap").dispatchEvent(new Event("input")); // draw again, then read in the same frame
        requestAnimationFrame(() => resolve(createImageBitmap(canvas)));
      }),
    );
    const copy = new OffscreenCanvas(frame.width, frame.height).getContext("2d");
    copy.drawImage(frame, 0, 0);
    return places.map(([x, y]) => [
      ...copy.getImageData(Math.floor(x * frame.width), Math.floor(y * frame.height), 1, 1).data.slice(0, 3),
    ]);
  }, places);
}
