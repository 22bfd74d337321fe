import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { bilinearBytes, nearestBytes } from "../src/engine/resize.js";
import { FIXTURES } from "./harness.mjs";

const RULES = { bilinear: bilinearBytes, nearest: nearestBytes };
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

for (const rule of Object.keys(RULES)) {
  test(`${rule} is OpenCV's to the bit, for sizes up and down, odd ones and single pixels`, () => {
    const cases = JSON.parse(readFileSync(path.join(FIXTURES, "resize.json"), "utf8")).filter(
      (one) => one.rule === rule,
    );
    assert.ok(cases.length >= 40);
    for (const { from, to, picture, resized } of cases) {
      const found = RULES[rule](bytes(picture), from[0], from[1], to[0], to[1], 3);
      assert.ok(Buffer.from(found).equals(Buffer.from(resized, "base64")), `${from} to ${to}`);
    }
  });
}

test("the fourth channel of a canvas is passed over", () => {
  const rgb = Uint8Array.from({ length: 5 * 7 * 3 }, (_, k) => (k * 37) % 256);
  const rgba = Uint8Array.from({ length: 5 * 7 * 4 }, (_, k) =>
    k % 4 === 3 ? 99 : rgb[Math.floor(k / 4) * 3 + (k % 4)],
  );
  assert.deepEqual(bilinearBytes(rgba, 5, 7, 9, 4, 3, 4), bilinearBytes(rgb, 5, 7, 9, 4, 3));
});
