// A picture on the page: backgrounds, divider, statistics, saving; and whether everybody can use it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { coloursAt, drawn, fixtures, launch, opened } from "./page_browser.mjs";
import { serve, siteFiles } from "./page_site.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CORNER = [0.98, 0.03];
const MIDDLE = [0.5, 0.6];
let browser, site;

before(async () => {
  fixtures();
  [browser, site] = await Promise.all([launch(), siteFiles().then((files) => serve({ files, isolated: true }))]);
});
after(async () => {
  await browser?.close();
  await site?.stop();
});

async function sample(options) {
  const visit = await opened(browser, site.url, options);
  await visit.page.click("#sample");
  await drawn(visit.page);
  return visit;
}

const choose = (page, name, value) => page.check(`input[name="${name}"][value="${value}"]`, { force: true });
const set = (page, id, value) => page.locator(`#${id}`).fill(String(value));
const near = (got, expected, most) =>
  assert.ok(
    got.every((byte, k) => Math.abs(byte - expected[k]) <= most),
    `${got} is not ${expected}`,
  );

test("the background becomes a colour and the person stays", async () => {
  const visit = await sample();
  const [before] = await coloursAt(visit.page, [MIDDLE]);
  await choose(visit.page, "background", "colour");
  await set(visit.page, "colour", "#ff0000");
  const [corner, middle] = await coloursAt(visit.page, [CORNER, MIDDLE]);
  near(corner, [255, 0, 0], 0);
  near(middle, before, 1);
  await visit.close();
});

test("a picture of the user's covers the background, and transparent shows checks", async () => {
  const visit = await sample();
  await choose(visit.page, "background", "picture");
  const blue = await visit.page.evaluate(async () => {
    const pen = new OffscreenCanvas(64, 64).getContext("2d");
    pen.fillStyle = "#0000ff";
    pen.fillRect(0, 0, 64, 64);
    return [...new Uint8Array(await (await pen.canvas.convertToBlob()).arrayBuffer())];
  });
  await visit.page.setInputFiles("#backdrop-file", {
    name: "blue.png",
    mimeType: "image/png",
    buffer: Buffer.from(blue),
  });
  await visit.page.waitForFunction(() => document.getElementById("backdrop-name").textContent === "blue.png");
  near((await coloursAt(visit.page, [CORNER]))[0], [0, 0, 255], 1);
  await choose(visit.page, "background", "transparent");
  const row = await coloursAt(
    visit.page,
    Array.from({ length: 20 }, (_, k) => [0.005 + k / 40, 0.01]),
  );
  assert.deepEqual([...new Set(row.map(String))].sort(), ["204,204,204", "255,255,255"]);
  await visit.close();
});

test("left of the divider is the picture as it was, set by key or by dragging", async () => {
  const visit = await sample();
  const { page } = visit;
  await choose(page, "background", "original");
  const [left, right] = await coloursAt(page, [[0.02, 0.03], CORNER]);
  await choose(page, "background", "colour");
  await set(page, "colour", "#00ff00");
  await page.focus("#split");
  for (let k = 0; k < 5; k++) await page.keyboard.press("ArrowRight");
  assert.equal(await page.inputValue("#split"), "5");
  assert.equal(await page.getAttribute("#split", "aria-valuetext"), "5 % as it was");
  const seen = await coloursAt(page, [
    [0.02, 0.03],
    [0.1, 0.03],
  ]);
  near(seen[0], left, 1);
  near(seen[1], [0, 255, 0], 0);
  const box = await page.locator("#canvas").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 1, box.y + 20);
  await page.mouse.up();
  assert.equal(await page.inputValue("#split"), "100");
  near((await coloursAt(page, [CORNER]))[0], right, 1);
  await visit.close();
});

test("the saved picture keeps what is transparent and has the full size", async () => {
  const visit = await sample();
  await choose(visit.page, "background", "transparent");
  const [download] = await Promise.all([visit.page.waitForEvent("download"), visit.page.click("#save")]);
  assert.equal(download.suggestedFilename(), "Drawn picture-transparent.png");
  const bytes = readFileSync(await download.path());
  const found = await visit.page.evaluate(async (text) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    pen.drawImage(bitmap, 0, 0);
    return [
      bitmap.width,
      bitmap.height,
      pen.getImageData(5, 5, 1, 1).data[3],
      pen.getImageData(480, 430, 1, 1).data[3],
    ];
  }, bytes.toString("base64"));
  assert.deepEqual(found, [960, 720, 0, 255]);
  await visit.close();
});

test("presets, models and threads reach the engine, and the statistics say what runs", async () => {
  const visit = await sample();
  const { page } = visit;
  await choose(page, "preset", "best");
  await page.waitForFunction(() => globalThis.engine.preset === "best" && globalThis.engine.runs === 2);
  await page.selectOption("#model", { label: "second.onnx" });
  await page.waitForFunction(() => globalThis.engine.facts.name === "second.onnx" && globalThis.engine.runs === 1);
  await page.waitForFunction(() => document.getElementById("network").textContent === "5.0 ms");
  const texts = Object.fromEntries(
    await Promise.all(
      ["runtime", "used", "precision", "size", "mask", "drawing"].map(async (id) => [
        id,
        await page.textContent(`#${id}`),
      ]),
    ),
  );
  assert.deepEqual(texts, {
    runtime: "stub · wasm",
    used: "1",
    precision: "int8",
    size: "960×720",
    mask: "64×64",
    drawing: "WebGL 2",
  });
  assert.match(await page.textContent("#age"), /^[\d.]+ ms$/);
  await visit.close();
});

test("a picture is opened by pasting and by dropping", async () => {
  const visit = await opened(browser, site.url);
  for (const [event, name] of [
    ["paste", "pasted.png"],
    ["drop", "dropped.png"],
  ]) {
    await visit.page.evaluate(
      async ([event, name]) => {
        const blob = await new Promise((resolve) => document.createElement("canvas").toBlob(resolve));
        const data = new DataTransfer();
        data.items.add(new File([blob], name, { type: "image/png" }));
        dispatchEvent(
          event === "paste"
            ? new ClipboardEvent(event, { clipboardData: data })
            : new DragEvent(event, { dataTransfer: data, cancelable: true }),
        );
      },
      [event, name],
    );
    await visit.page.waitForFunction(
      (name) => document.getElementById("canvas").getAttribute("aria-label").startsWith(name),
      name,
    );
  }
  await visit.close();
});

test("a lost graphics context comes back with the picture", async () => {
  const visit = await sample();
  const { page } = visit;
  await choose(page, "background", "colour");
  await set(page, "colour", "#ff0000");
  await page.evaluate(() => {
    const gl = /** @type {HTMLCanvasElement} */ (document.getElementById("canvas")).getContext("webgl2");
    globalThis.loss = gl.getExtension("WEBGL_lose_context");
    globalThis.loss.loseContext();
  });
  await page.waitForSelector("#alert:not([hidden])");
  assert.match(await page.textContent("#alert-text"), /graphics processor was taken away/);
  await page.evaluate(() => globalThis.loss.restoreContext());
  await page.waitForSelector("#alert", { state: "hidden" });
  await page.waitForFunction(() => globalThis.engine.runs >= 2 && !globalThis.engine.underWay);
  near((await coloursAt(page, [CORNER]))[0], [255, 0, 0], 0);
  await visit.close();
});

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

for (const [width, height] of [
  [390, 844],
  [1280, 800],
])
  test(`axe finds nothing at ${width}x${height}, light and dark, with a picture and an error shown`, async () => {
    const visit = await sample({ context: { viewport: { width, height } } });
    const { page } = visit;
    await page.evaluate(axe);
    await page.evaluate(() => {
      document.getElementById("alert-text").textContent = "Something failed.";
      document.getElementById("alert").hidden = false;
    });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const { violations } = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: values }), RULES);
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`),
        [],
      );
    }
    await visit.close();
  });

test("before anything is open axe finds nothing either, and nothing is wider than a screen of 360 pixels", async () => {
  const visit = await opened(browser, site.url, { context: { viewport: { width: 360, height: 640 } } });
  await visit.page.evaluate(axe);
  const { violations } = await visit.page.evaluate(
    (values) => globalThis.axe.run(document, { runOnly: values }),
    RULES,
  );
  assert.deepEqual(
    violations.map(({ id }) => id),
    [],
  );
  assert.ok(await visit.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await visit.close();
});

test("nothing moves while the page loads, opens a picture and changes it", async () => {
  for (const viewport of [
    { width: 390, height: 844 },
    { width: 1280, height: 800 },
  ]) {
    const watch = (page) =>
      page.addInitScript(() => {
        globalThis.shift = 0;
        new PerformanceObserver((list) =>
          list.getEntries().forEach((entry) => (globalThis.shift += entry.value)),
        ).observe({ type: "layout-shift", buffered: true });
      });
    const visit = await opened(browser, site.url, { context: { viewport }, before: watch });
    await visit.page.click("#sample");
    await drawn(visit.page);
    for (const value of ["colour", "picture", "original", "blur"]) await choose(visit.page, "background", value);
    await visit.page.waitForTimeout(200);
    const shift = await visit.page.evaluate(() => globalThis.shift);
    assert.ok(shift <= 0.01, `layout shift ${shift}`);
    await visit.close();
  }
});

test("every control is reached by the tab key, in order, with a visible outline", async () => {
  const visit = await sample();
  const { page } = visit;
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
  const order = [];
  for (let k = 0; k < 14; k++) {
    await page.keyboard.press("Tab");
    order.push(
      await page.evaluate(() => {
        const at = /** @type {any} */ (document.activeElement);
        const shown = at.type === "radio" ? at.nextElementSibling : at;
        return [at.id || `${at.name}=${at.value}`, getComputedStyle(shown).outlineStyle];
      }),
    );
  }
  const expected = [
    "open",
    "camera",
    "sample",
    "save",
    "split",
    "background=blur",
    "blur",
    "wrap",
    "preset=balanced",
    "model",
    "backend",
    "threads",
    "own-model",
  ];
  const names = order.map(([name]) => name);
  const start = names.indexOf("open");
  assert.deepEqual([...names.slice(start), ...names.slice(0, start)].slice(0, expected.length), expected);
  assert.ok(
    order.every(([name, outline]) => name === "undefined=undefined" || outline === "solid"),
    JSON.stringify(order),
  );
  await page.focus('input[value="blur"]');
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.isChecked('input[value="colour"]'));
  await visit.close();
});
