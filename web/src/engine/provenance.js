// The parts of a contract that describe the file: where it is from, how it was made, what was measured.

import { Fields } from "./fields.js";

const SHARES = ["max_difference", "mean_difference", "mask_iou", "changed_pixels", "boundary_f"];

export function readSource(data) {
  const f = new Fields(data, "source");
  const source = {
    checkpoint: f.string("checkpoint"),
    sha256: f.digest("sha256"),
    architecture: f.string("architecture"),
    parameters: f.integer("parameters", 0, 1e12),
    preprocessing: f.string("preprocessing"),
    mean: f.nullable("mean", () => f.numbers("mean", 3)),
    std: f.nullable("std", () => f.numbers("std", 3)),
    color: f.choice("color", ["rgb", "bgr"]),
  };
  f.finish();
  return source;
}

export function readConversion(data) {
  const f = new Fields(data, "conversion");
  const conversion = {
    precision: f.string("precision"),
    calibrationCount: f.integer("calibration_count", 0, 1e9),
    calibrationSha256: f.nullable("calibration_sha256", () => f.digest("calibration_sha256")),
    tools: f.stringMap("tools"),
    floatLayers: f.strings("float_layers"),
    recipe: f.optionalObject("recipe"),
    converter: f.optional("converter") === undefined ? undefined : f.string("converter"),
    refused: f.optional("refused") === undefined ? undefined : f.stringMap("refused"),
  };
  f.finish();
  return conversion;
}

export function readParity(data) {
  const f = new Fields(data, "parity");
  const parity = {
    pictures: f.integer("pictures", 1, 1e9),
    pictureSource: f.string("picture_source"),
    ...Object.fromEntries(SHARES.map((name) => [name, f.number(name, 0, 1)])),
    bound: f.string("bound"),
    withinBound: f.boolean("within_bound"),
  };
  f.finish();
  return parity;
}
