// A named text inside a model file: TFLite's appended zip, ONNX's metadata_props. Every size is checked against the file before it is used.

import { EngineError } from "./errors.js";

const MOST_TEXT = 256 * 1024;
const MOST_ENTRIES = 256;
const MOST_FIELDS = 100_000;
const METADATA_PROPS = 14; // ModelProto.metadata_props in onnx.proto
const [END, CENTRAL, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * What a file is, by its content.
 * @param {Uint8Array} bytes
 * @returns {"tflite" | "onnx"}
 */
export function modelKind(bytes) {
  if (bytes.length >= 8 && String.fromCharCode(...bytes.subarray(4, 8)) === "TFL3") return "tflite";
  const field = bytes[2] >> 3;
  if (bytes.length > 2 && bytes[0] === 0x08 && bytes[1] > 0 && bytes[1] < 64 && field >= 1 && field <= 26)
    return "onnx";
  throw new EngineError("This file is not a model: neither TFLite nor ONNX. Choose a .tflite or .onnx file.");
}

/**
 * The text stored under `name`, or null where the file holds none.
 * @param {Uint8Array} bytes
 * @param {string} name
 */
export async function readText(bytes, name) {
  const data = modelKind(bytes) === "tflite" ? await fromZip(bytes, `${name}.json`) : fromOnnx(bytes, name);
  if (!data) return null;
  try {
    return utf8.decode(data);
  } catch (error) {
    throw new EngineError(`The ${name} inside the model is not UTF-8. Export the model again.`, { cause: error });
  }
}

async function fromZip(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endOfZip(view);
  if (end < 0) return null;
  try {
    const count = view.getUint16(end + 10, true);
    // an archive that was written onto a file without counting its bytes starts later than it says
    const shift = end - view.getUint32(end + 12, true) - view.getUint32(end + 16, true);
    if (count > MOST_ENTRIES || shift < 0) throw broken("its archive lists too much");
    let at = view.getUint32(end + 16, true) + shift;
    const found = [];
    for (let k = 0; k < count; k++) {
      if (view.getUint32(at, true) !== CENTRAL) throw broken("its archive is damaged");
      const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
      if (ascii(bytes, at + 46, nameLength) === name) found.push(at);
      at += 46 + nameLength + extra + comment;
    }
    if (found.length > 1) throw broken(`it holds ${name} more than once`);
    return found.length ? await entry(bytes, view, found[0], shift) : null;
  } catch (error) {
    throw error instanceof EngineError ? error : broken("its archive is cut off or damaged", error);
  }
}

async function entry(bytes, view, at, shift) {
  const method = view.getUint16(at + 10, true);
  const [packed, whole] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
  const local = view.getUint32(at + 42, true) + shift;
  if (whole > MOST_TEXT || packed > MOST_TEXT) throw broken("its contract is larger than 256 KiB");
  if (view.getUint32(local, true) !== LOCAL) throw broken("its archive is damaged");
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packed > bytes.length) throw broken("its archive is cut off");
  const data = bytes.subarray(start, start + packed);
  if (method === 0) return data;
  if (method === 8) return inflated(data);
  throw broken(`its archive is packed in a way that this page does not know (${method})`);
}

async function inflated(data) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts = [];
  for (let size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    size += value.length;
    if (size > MOST_TEXT) throw broken("its contract is larger than 256 KiB");
    parts.push(value);
  }
}

function endOfZip(view) {
  const first = Math.max(0, view.byteLength - 22 - 65535);
  for (let at = view.byteLength - 22; at >= first; at--) {
    if (view.getUint32(at, true) === END && at + 22 + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return -1;
}

function fromOnnx(bytes, name) {
  let found = null;
  for (const [number, payload] of fields(bytes)) {
    if (number !== METADATA_PROPS) continue;
    const parts = new Map(fields(payload));
    if (!parts.has(1) || ascii(parts.get(1), 0, parts.get(1).length) !== name) continue;
    if (found) throw broken(`it holds ${name} more than once`);
    found = parts.get(2) ?? new Uint8Array();
    if (found.length > MOST_TEXT) throw broken("its contract is larger than 256 KiB");
  }
  return found;
}

/** The fields of one protobuf message that have a length: number and payload. */
function* fields(bytes) {
  for (let at = 0, count = 0; at < bytes.length; count++) {
    if (count > MOST_FIELDS) throw broken("it has more fields than a model has");
    const tag = varint(bytes, at);
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    at = tag.end;
    if (wire === 0) at = varint(bytes, at).end;
    else if (wire === 1 || wire === 5) at += wire === 1 ? 8 : 4;
    else if (wire === 2) {
      const length = varint(bytes, at);
      at = length.end + length.value;
      if (at <= bytes.length) yield /** @type {[number, Uint8Array]} */ ([number, bytes.subarray(length.end, at)]);
    } else throw broken("it is no ONNX file, or a damaged one");
    if (at > bytes.length) throw broken("it is cut off");
  }
}

function varint(bytes, at) {
  for (let value = 0, factor = 1; at < bytes.length && factor < 2 ** 63; factor *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * factor;
    if (byte < 128) return { value, end: at };
  }
  throw broken("it is cut off or damaged");
}

function ascii(bytes, at, length) {
  return at + length <= bytes.length ? String.fromCharCode(...bytes.subarray(at, at + Math.min(length, 256))) : "";
}

function broken(why, cause) {
  return new EngineError(`This model file cannot be read: ${why}. Copy or export it again.`, { cause });
}
