// A real browser and the built site for the tests. Every request is checked against the page's own origin, every console error is kept.

import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { serve } from "../serve.mjs";

export const WEB = fileURLToPath(new URL("..", import.meta.url));
export const FIXTURES = path.join(WEB, ".fixtures");
/** What takes longer never comes, on a machine that has much else to do too. */
export const PATIENCE_MS = 120_000;
/** WebGPU, computed by the processor. */
export const EMULATED_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The system's Chromium, or null. */
export function browserPath() {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) =>
    existsSync(file),
  );
  return process.env.CHROMIUM ?? found ?? null;
}

/** @param {string[]} args more of Chromium's own */
export async function launch(args = []) {
  const executablePath = browserPath();
  if (!executablePath)
    throw new Error(
      `no browser found: none of ${NAMES.join(", ")} is on the PATH; install Debian's package chromium, or name one in CHROMIUM`,
    );
  return chromium.launch({ executablePath, args: ["--no-sandbox", ...args], timeout: PATIENCE_MS });
}

/**
 * A page of the built site.
 * @param {import("playwright-core").Browser} browser
 * @param {{isolated?: boolean, context?: object, path?: string}} options
 */
export async function openSite(browser, { isolated = true, context = {}, path: wanted = "" } = {}) {
  const site = await serve({ isolated });
  const room = await browser.newContext({ serviceWorkers: "block", ...context });
  const page = await room.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const watched = watch(room, page, site.url);
  await page.goto(site.url + wanted);
  return { page, room, site, ...watched, close: async () => (await room.close(), await site.stop()) };
}

/** What a page must not do: talk to anybody else, or complain. */
export function watch(room, page, origin) {
  const [foreign, errors] = [[], []];
  room.on("request", (request) => {
    if (!request.url().startsWith(origin) && !/^(blob|data):/.test(request.url())) foreign.push(request.url());
  });
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  return { foreign, errors };
}
