// The service worker: the page without a network, its updates, and threads on hosts that cannot send headers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { drawn, fixtures, launch, opened } from "./page_browser.mjs";
import { serve, siteFiles } from "./page_site.mjs";

let browser, files;
const context = { serviceWorkers: "allow" };

before(async () => {
  fixtures();
  [browser, files] = await Promise.all([launch(), siteFiles()]);
});
after(() => browser?.close());

const controlled = (page) =>
  page.waitForFunction(() => navigator.serviceWorker.controller && navigator.serviceWorker.ready);

test("after the first visit the page works with the server gone", async () => {
  const site = await serve({ files, isolated: true });
  const { page, close } = await opened(browser, site.url, { context });
  await controlled(page);
  await site.stop();
  await page.reload();
  await page.click("#sample");
  await drawn(page);
  assert.equal(await page.textContent("#status"), "Drawn picture.");
  assert.ok(await page.evaluate(() => self.crossOriginIsolated));
  await close();
});

test("a host that sends no headers gets isolation from the service worker, with one reload", async () => {
  const site = await serve({ files, isolated: false });
  const { page, close } = await opened(browser, site.url, { context });
  await page.waitForFunction(
    () => self.crossOriginIsolated && document.getElementById("status").textContent.startsWith("Open"),
  );
  assert.ok(!/One thread/.test(await page.textContent("#status")));
  await close();
  await site.stop();
});

test("a new build is offered and, when it is wanted, replaces the old one", async () => {
  const served = { files, isolated: true };
  const site = await serve(served);
  const { page, close } = await opened(browser, site.url, { context });
  await controlled(page);
  served.files = await siteFiles("newer");
  await page.reload();
  await page.waitForSelector("#news:not([hidden])");
  assert.ok(!(await page.evaluate(async () => (await fetch("page.js")).text())).includes("newer"));
  await Promise.all([page.waitForEvent("load"), page.click("#update")]);
  await controlled(page);
  assert.ok((await page.evaluate(async () => (await fetch("page.js")).text())).includes("newer"));
  assert.equal((await page.evaluate(() => caches.keys())).length, 1);
  await close();
  await site.stop();
});

test("the manifest has what a browser asks for before it installs a page", async () => {
  const manifest = JSON.parse(files.get("manifest.webmanifest"));
  assert.equal(manifest.display, "standalone");
  assert.ok(["192x192", "512x512"].every((size) => manifest.icons.some((icon) => icon.sizes === size)));
  for (const icon of manifest.icons) assert.ok(files.has(icon.src), icon.src);
});
