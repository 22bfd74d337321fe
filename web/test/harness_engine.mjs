// The built engine in a page of a real browser: open a model there, and take frames through it. Arrays travel as base64.

import { openSite } from "./harness.mjs";
import { rgba } from "./fixtures.mjs";

/**
 * @param {import("playwright-core").Browser} browser
 * @param {{isolated?: boolean}} options
 */
export async function openEngineSite(browser, options = {}) {
  const site = await openSite(browser, options);
  await site.page.evaluate(prepare);
  const call = (name, ...parts) =>
    site.page.evaluate(([ask, given]) => /** @type {any} */ (window)[ask](...given), [name, parts]);
  return {
    ...site,
    /** @returns {Promise<any>} the engine's facts; an error that the page throws is thrown here */
    open: (bytes, settings) => call("openModel", base64(bytes), settings),
    steps: async (model, frame) => call("steps", sent(model, frame)),
    refined: async (model, frame) => typed(Uint8Array, await call("refined", sent(model, frame))),
    ran: (width, height) => call("ran", width, height),
  };
}

export const typed = (Kind, text) => new Kind(new Uint8Array(Buffer.from(text, "base64")).buffer);
const base64 = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const sent = (model, frame) => ({ ...rgba(model, frame), data: base64(rgba(model, frame).data) });

/** Runs in the page. */
function prepare() {
  const page = /** @type {any} */ (window);
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const image = ({ data, width, height }) => new ImageData(new Uint8ClampedArray(bytes(data)), width, height);
  const packed = (array) => {
    const all = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    let text = "";
    for (let k = 0; k < all.length; k += 32768) text += String.fromCharCode(...all.subarray(k, k + 32768));
    return btoa(text);
  };
  page.openModel = async (model, options) => {
    const { Engine } = await import(new URL("engine.js", document.baseURI).href);
    page.testEngine?.close();
    page.testEngine = await Engine.open(bytes(model), options);
    return page.testEngine.facts;
  };
  page.steps = async (frame) => {
    const found = await page.testEngine.steps(image(frame));
    return Object.fromEntries(Object.entries(found).map(([name, array]) => [name, packed(array)]));
  };
  page.refined = async (frame) => packed(await page.testEngine.refined(image(frame)));
  page.ran = async (width, height) => {
    const { slope, offset, ...rest } = await page.testEngine.run(await createImageBitmap(new ImageData(width, height)));
    return { ...rest, slopes: slope.length, offsets: offset.length };
  };
}
