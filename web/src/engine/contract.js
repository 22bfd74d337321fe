// The contract of a model file (docs/contract.md): what goes in, what comes out, and what describes the file.

import { EngineError } from "./errors.js";
import { Fields } from "./fields.js";
import { readConversion, readParity, readSource } from "./provenance.js";
import { parseJson } from "./strict_json.js";

export const NAME = "segedge.contract";
const VERSION = 1;
const MOST_SIDE = 8192;
const LAYOUTS = ["NHWC", "NCHW"];
const DTYPES = ["float32", "int8", "uint8", "int16"];
const CLASS_DTYPES = ["int8", "uint8", "int32", "int64"];

/**
 * @typedef {{width: number, height: number, layout: string, dtype: string, color: string, range: number[], mean?: number[], std?: number[],
 *   resize: string, interpolation: string, scale?: number, zeroPoint?: number}} InputSpec
 * @typedef {{width: number, height: number, layout: string, dtype: string, meaning: string, channels: number, personChannel: number,
 *   labels: string[], scale?: number, zeroPoint?: number}} OutputSpec
 * @typedef {{input: InputSpec, output: OutputSpec, threshold: number, source?: any, conversion?: any, parity?: any}} Contract
 */

/**
 * @param {string | object} data the JSON, as text or parsed
 * @returns {Contract}
 */
export function parseContract(data) {
  const f = new Fields(typeof data === "string" ? parsed(data) : data, "");
  if (f.raw("format") !== NAME)
    throw new EngineError(
      `The contract's format is ${JSON.stringify(f.raw("format")).slice(0, 60)}, expected "${NAME}".`,
    );
  const version = f.raw("version");
  if (version !== VERSION)
    throw new EngineError(
      `The contract has version ${JSON.stringify(version).slice(0, 20)}, this page knows version ${VERSION}. Update the page, or export the model again.`,
    );
  const contract = {
    input: readInput(f.raw("input")),
    output: readOutput(f.raw("output")),
    threshold: f.number("threshold", 0, 1),
    source: f.part("source", readSource),
    conversion: f.part("conversion", readConversion),
    parity: f.part("parity", readParity),
  };
  f.finish();
  return contract;
}

function readInput(data) {
  const f = new Fields(data, "input");
  const dtype = f.choice("dtype", DTYPES);
  const range = f.numbers("value_range", 2);
  const [mean, std] = [f.optionalNumbers("mean", 3), f.optionalNumbers("std", 3)];
  if (!(range[0] < range[1])) f.fail("value_range", "low < high");
  if ((mean === undefined) !== (std === undefined) || std?.some((one) => one < 1e-9))
    f.fail("std", "both mean and std or none, std at least 1e-9");
  const spec = {
    ...size(f),
    layout: f.choice("layout", LAYOUTS),
    dtype,
    color: f.choice("color", ["rgb", "bgr"]),
    range,
    mean,
    std,
    resize: f.choice("resize", ["stretch", "letterbox"]),
    interpolation: f.choice("interpolation", ["bilinear", "area", "nearest"]),
    ...f.quantization(dtype),
  };
  f.finish();
  return spec;
}

function readOutput(data) {
  const f = new Fields(data, "output");
  const meaning = f.choice("meaning", ["probability", "logits", "classes"]);
  const channels = f.integer("channels", 1, 1024);
  const dtype = f.choice("dtype", meaning === "classes" ? CLASS_DTYPES : DTYPES);
  const labels = f.strings("labels");
  if (labels.length && labels.length !== channels) f.fail("labels", `${channels} names or none`);
  const spec = {
    ...size(f),
    layout: f.choice("layout", LAYOUTS),
    dtype,
    meaning,
    channels,
    personChannel: f.integer("person_channel", 0, channels - 1),
    labels,
    ...(meaning === "classes" ? {} : f.quantization(dtype)),
  };
  f.finish();
  return spec;
}

function size(f) {
  return { width: f.integer("width", 1, MOST_SIDE), height: f.integer("height", 1, MOST_SIDE) };
}

function parsed(text) {
  try {
    return parseJson(text);
  } catch (error) {
    throw new EngineError(
      `The model's contract is not JSON: ${error.message.split("\n")[0].slice(0, 120)}. Export the model again.`,
      { cause: error },
    );
  }
}
