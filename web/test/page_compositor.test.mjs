// The shaders, and their stand-in without WebGL, against what segruntime makes of the same frames and coefficients.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { build } from "esbuild";

import { FIXTURES, fixtures, launch } from "./page_browser.mjs";

const page = (name) => new URL(`../src/page/${name}`, import.meta.url).pathname;
let browser, tab, index;

before(async () => {
  fixtures();
  index = JSON.parse(readFileSync(path.join(FIXTURES, "index.json"), "utf8"));
  browser = await launch();
  tab = await browser.newPage();
  const contents = `export {GlCompositor} from "${page("gl/compositor.js")}"; export {FlatCompositor} from "${page("flat_compositor.js")}";`;
  const bundle = await build({
    stdin: { contents, resolveDir: "/" },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "parts",
  });
  await tab.evaluate(`${bundle.outputFiles[0].text}; globalThis.parts = parts;`);
});
after(() => browser?.close());

const bytes = (name) => readFileSync(path.join(FIXTURES, `${name}.bin`));

/** RGB, or the fourth channel where `channels` is 1, of what the page's compositor gives. */
async function made(kind, name, background, wrap) {
  const given = { kind, ...index.cases[name], background, wrap, colour: index.colour };
  for (const part of ["frame", "slope", "offset"]) given[part] = bytes(`${name}.${part}`).toString("base64");
  return Buffer.from(
    await tab.evaluate(async (given) => {
      const raw = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const floats = (text) => new Float32Array(raw(text).buffer);
      const rgb = raw(given.frame);
      const picture = (flip) => {
        const image = new ImageData(given.width, given.height);
        for (let y = 0; y < given.height; y++)
          for (let x = 0; x < given.width; x++) {
            const from = 3 * ((flip ? given.height - 1 - y : y) * given.width + x);
            image.data.set([...rgb.subarray(from, from + 3), 255], 4 * (y * given.width + x));
          }
        return createImageBitmap(image);
      };
      const compositor = new globalThis.parts[given.kind](document.createElement("canvas"));
      compositor.upload(await picture(false));
      compositor.accept({ ...given, slope: floats(given.slope), offset: floats(given.offset) });
      const background = { kind: given.background, colour: given.colour, picture: await picture(true), blur: 0.5 };
      const { data } = compositor.read(background, { split: 0.5, mirror: false, wrap: given.wrap });
      return new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(/** @type {string} */ (reader.result).split(",")[1]);
        reader.readAsDataURL(new Blob([data]));
      });
    }, given),
    "base64",
  );
}

function differences(rgba, expected, channels) {
  const all = new Uint32Array(256);
  const count = expected.length / channels;
  for (let k = 0; k < count; k++)
    for (let c = 0; c < channels; c++)
      all[Math.abs(rgba[4 * k + (channels === 1 ? 3 : c)] - expected[channels * k + c])]++;
  const most = all.findLastIndex((number) => number > 0);
  const mean = all.reduce((sum, number, size) => sum + number * size, 0) / expected.length;
  return { most, mean, over1: all.slice(2).reduce((a, b) => a + b, 0) / expected.length };
}

for (const name of ["wide", "odd", "small"]) {
  test(`alpha in the shader is the refiner's, ${name} frame`, async (t) => {
    const found = differences(await made("GlCompositor", name, "transparent", 0), bytes(`${name}.alpha`), 1);
    t.diagnostic(JSON.stringify(found));
    assert.ok(found.most <= 1, JSON.stringify(found));
  });
  for (const background of ["colour", "picture"]) {
    test(`the person over a ${background} is segruntime's composite, ${name} frame`, async (t) => {
      const found = differences(await made("GlCompositor", name, background, 0), bytes(`${name}.${background}`), 3);
      t.diagnostic(JSON.stringify(found));
      assert.ok(found.most <= 1, JSON.stringify(found));
    });
  }
}

test("the background is blurred without the person as BlurBehind does it", async (t) => {
  const found = differences(await made("GlCompositor", "wide", "blur", 0), bytes("wide.blur"), 3);
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.mean < 0.5 && found.most <= 4, JSON.stringify(found));
});

test("light of the background reaches over the edge as light_wrap does it", async (t) => {
  const found = differences(await made("GlCompositor", "wide", "colour", 0.6), bytes("wide.wrap"), 3);
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.mean < 0.1 && found.most <= 2, JSON.stringify(found));
});

test("without WebGL the processor gives the same composite", async (t) => {
  for (const background of ["colour", "picture"]) {
    const found = differences(await made("FlatCompositor", "wide", background, 0), bytes(`wide.${background}`), 3);
    t.diagnostic(JSON.stringify(found));
    assert.ok(found.most <= 1, JSON.stringify(found));
  }
});
