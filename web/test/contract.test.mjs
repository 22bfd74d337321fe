import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";

import { NAME, parseContract } from "../src/engine/contract.js";
import { modelKind, readText } from "../src/engine/model_file.js";
import { FIXTURES, WEB } from "./harness.mjs";
import { models } from "./fixtures.mjs";

const SMALL = {
  format: NAME,
  version: 1,
  input: {
    width: 8,
    height: 4,
    layout: "NHWC",
    dtype: "float32",
    color: "rgb",
    value_range: [0, 1],
    resize: "stretch",
    interpolation: "bilinear",
  },
  output: {
    width: 8,
    height: 4,
    layout: "NHWC",
    dtype: "float32",
    meaning: "probability",
    channels: 1,
    person_channel: 0,
    labels: ["person"],
  },
  threshold: 0.5,
};
const changed = (part, field, value) => ({ ...SMALL, [part]: { ...SMALL[part], [field]: value } });
const model = (name) => new Uint8Array(readFileSync(path.join(FIXTURES, "export", name)));

test("each exported file gives the contract that segruntime reads in it", async () => {
  for (const one of models()) {
    const text = await readText(new Uint8Array(readFileSync(one.path)), NAME);
    assert.deepEqual(JSON.parse(text), one.contract, one.file);
    assert.equal(parseContract(text).input.width, one.contract.input.width);
  }
});

test("the contracts of others in examples/ are understood", () => {
  for (const name of ["mnv3_float", "mnv3_uint8", "selfie_256"]) {
    const contract = parseContract(readFileSync(path.join(WEB, `../examples/contracts/${name}.contract.json`), "utf8"));
    assert.equal(contract.input.width, 256, name);
  }
});

const REFUSED = [
  [{ ...SMALL, version: 2 }, /version 2, this page knows version 1/],
  [{ ...SMALL, format: "other" }, /format is "other"/],
  [{ ...SMALL, threshold: 2 }, /threshold is 2/],
  [{ ...SMALL, more: 1 }, /does not know: more/],
  [{ ...SMALL, output: undefined }, /output is missing/],
  [changed("input", "width", 0), /input\.width is 0/],
  [changed("input", "width", 1e9), /input\.width/],
  [changed("input", "width", 2.5), /input\.width is 2\.5/],
  [changed("input", "dtype", "uint8"), /lacks input\.scale/],
  [changed("input", "scale", 1), /does not know: input\.scale/],
  [changed("input", "resize", "crop"), /input\.resize is "crop", expected one of stretch, letterbox/],
  [changed("input", "value_range", [1, 0]), /value_range/],
  [changed("input", "mean", [0, 0, 0]), /mean and std/],
  [changed("output", "person_channel", 1), /person_channel is 1/],
  [changed("output", "labels", ["a", "b"]), /labels/],
  [changed("output", "meaning", "depth"), /meaning is "depth"/],
  [[SMALL], /expected an object/],
  ["{", /not JSON/],
  [JSON.stringify(SMALL).replace('"threshold"', '"version":1,"threshold"'), /"version" stands twice/],
  [JSON.stringify(SMALL).replace('"threshold"', '"vers\\u0069on":1,"threshold"'), /"version" stands twice in one/],
  [`${"[".repeat(100_000)}${"]".repeat(100_000)}`, /nested deeper than 64/],
  [{ ...SMALL, source: { checkpoint: "a.pth" } }, /lacks source\.sha256/],
  [
    {
      ...SMALL,
      conversion: { precision: "int8", calibration_count: 1, calibration_sha256: "abc", tools: {}, float_layers: [] },
    },
    /calibration_sha256 is "abc"/,
  ],
  [{ ...SMALL, parity: [] }, /parity is \[\], expected an object/],
];

for (const [data, message] of REFUSED) {
  test(`a contract is refused: ${message.source}`, () => {
    assert.throws(
      () => parseContract(data),
      (error) => error.name === "EngineError" && message.test(error.message),
    );
  });
}

test("a model cut off anywhere is refused with a sentence or holds no contract, and never hangs", async () => {
  for (const name of ["mobile_unet.onnx", "mobile_unet_int8.tflite"]) {
    const whole = model(name);
    for (const share of [0.001, 0.3, 0.9, 0.99, 0.9999]) {
      const text = await readText(whole.subarray(0, Math.round(whole.length * share)), NAME).catch((error) => error);
      assert.ok(text === null || text.name === "EngineError", `${name} ${share}: ${text?.stack}`);
    }
  }
});

test("what is no model is refused by its content", () => {
  for (const bytes of [
    new Uint8Array(),
    new TextEncoder().encode("hello, world"),
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
  ]) {
    assert.throws(() => modelKind(bytes), /not a model/);
  }
});

test("a deflated contract is read, one that would unpack to more than 256 KiB is refused", async () => {
  const small = zipped(`${NAME}.json`, Buffer.from(JSON.stringify(SMALL)));
  assert.deepEqual(JSON.parse(await readText(small, NAME)), SMALL);
  const bomb = zipped(`${NAME}.json`, Buffer.alloc(50e6), 1000);
  await assert.rejects(readText(bomb, NAME), /larger than 256 KiB/);
});

/** A stand-in for a model with one deflated file behind it; `claimed` is the size that the archive tells. */
function zipped(name, data, claimed = data.length) {
  const [packed, title, head] = [
    deflateRawSync(data),
    Buffer.from(name),
    Buffer.from("\0\0\0\0TFL3\0\0\0\0", "latin1"),
  ];
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(packed.length, 18);
  local.writeUInt32LE(claimed, 22);
  local.writeUInt16LE(title.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(8, 10);
  central.writeUInt32LE(packed.length, 20);
  central.writeUInt32LE(claimed, 24);
  central.writeUInt16LE(title.length, 28);
  central.writeUInt32LE(head.length, 42);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length + title.length, 12);
  end.writeUInt32LE(head.length + local.length + title.length + packed.length, 16);
  return new Uint8Array(Buffer.concat([head, local, title, packed, central, title, end]));
}
