// A browser with a drawn camera for the page's tests, and what is asserted of every page it opens.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const WEB = fileURLToPath(new URL("..", import.meta.url));
export const FIXTURES = path.join(WEB, ".fixtures", "page");
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Drawn once: clip.mp4, clip.webm, camera.y4m and the arrays of the compositor's test. */
export function fixtures() {
  if (existsSync(path.join(FIXTURES, "camera.y4m"))) return;
  const ours = path.join(WEB, "..", ".venv", "bin", "python");
  const env = { ...process.env, PYTHONPATH: path.join(WEB, "..", "runtime") };
  execFileSync(existsSync(ours) ? ours : "python3", [path.join(WEB, "test/page_fixtures.py"), FIXTURES], { env, stdio: "inherit" });
}

export async function launch(more = []) {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const executablePath = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(existsSync);
  assert.ok(executablePath, `no browser: none of ${NAMES.join(", ")} is on the PATH; install the distribution's chromium`);
  const camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${path.join(FIXTURES, "camera.y4m")}`];
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", ...camera, ...more] });
}

/**
 * A page at `url` that holds what every page must: no console error, no request to another origin.
 * @param {import("playwright-core").Browser} browser
 * @param {{context?: any, before?: (page: any) => Promise<void>}} [options]
 */
export async function opened(browser, url, { context = {}, before } = {}) {
  const where = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, serviceWorkers: "block", ...context });
  const errors = [];
  where.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin) errors.push(`request to ${request.url()}`);
  });
  where.on("console", (message) => message.type() === "error" && errors.push(`console: ${message.text()}`));
  where.on("weberror", (error) => errors.push(`page: ${error.error().message}`));
  const page = await where.newPage();
  page.setDefaultTimeout(15000);
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
export const drawn = (page) => page.waitForFunction(() => document.getElementById("stage").classList.contains("showing"));

/** Colours of the canvas at these places, each 0 to 1 across and down. */
export async function coloursAt(page, places) {
  return page.evaluate(async (places) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("canvas"));
    const repaint = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await repaint();
    await repaint();
    const frame = await new Promise((resolve) => requestAnimationFrame(() => {
      document.getElementById("wrap").dispatchEvent(new Event("input")); // draw again, then read in the same frame
      requestAnimationFrame(() => resolve(createImageBitmap(canvas)));
    }));
    const copy = new OffscreenCanvas(frame.width, frame.height).getContext("2d");
    copy.drawImage(frame, 0, 0);
    return places.map(([x, y]) => [...copy.getImageData(Math.floor(x * frame.width), Math.floor(y * frame.height), 1, 1).data.slice(0, 3)]);
  }, places);
}
