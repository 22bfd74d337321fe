// Reading a JSON object field by field, as strictly as segruntime: the error names the field, unknown ones are refused.

import { EngineError } from "./errors.js";

const MOST_CHARACTERS = 4096;
const MOST = 1e9; // of a range, a mean, a deviation
const ZERO_POINTS = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767] };

export class Fields {
  /**
   * @param {unknown} data
   * @param {string} where the object's own name, empty for the whole contract
   */
  constructor(data, where) {
    if (!isObject(data)) {
      throw new EngineError(`The contract's ${where || "whole"} is ${shown(data)}, expected an object.`);
    }
    this.data = /** @type {Record<string, any>} */ (data);
    this.where = where ? `${where}.` : "";
    this.seen = new Set();
  }

  raw(key) {
    this.seen.add(key);
    if (!Object.hasOwn(this.data, key))
      throw new EngineError(`The contract lacks ${this.where}${key}. Export the model again, or correct its contract.`);
    return this.data[key];
  }

  /** Undefined where the field is absent or null. */
  optional(key) {
    this.seen.add(key);
    return Object.hasOwn(this.data, key) ? (this.data[key] ?? undefined) : undefined;
  }

  finish() {
    const unknown = Object.keys(this.data).filter((key) => !this.seen.has(key));
    if (unknown.length)
      throw new EngineError(
        `The contract has a field that this page does not know: ${this.where}${unknown[0].slice(0, 80)}.`,
      );
  }

  choice(key, known) {
    const value = this.raw(key);
    return known.includes(value) ? value : this.fail(key, `one of ${known.join(", ")}`);
  }

  integer(key, low, high) {
    const value = this.raw(key);
    return Number.isInteger(value) && value >= low && value <= high
      ? value
      : this.fail(key, `a whole number from ${low} to ${high}`);
  }

  number(key, low, high) {
    const value = this.raw(key);
    return typeof value === "number" && value >= low && value <= high
      ? value
      : this.fail(key, `a number from ${low} to ${high}`);
  }

  numbers(key, count) {
    const value = this.raw(key);
    const fits =
      Array.isArray(value) &&
      value.length === count &&
      value.every((one) => typeof one === "number" && Math.abs(one) <= MOST);
    return fits ? value : this.fail(key, `${count} numbers`);
  }

  optionalNumbers(key, count) {
    return this.optional(key) === undefined ? undefined : this.numbers(key, count);
  }

  string(key) {
    const value = this.raw(key);
    return typeof value === "string" && value.length <= MOST_CHARACTERS
      ? value
      : this.fail(key, `text of at most ${MOST_CHARACTERS} characters`);
  }

  strings(key) {
    const value = this.raw(key);
    return Array.isArray(value) && value.every((one) => typeof one === "string")
      ? value
      : this.fail(key, "a list of texts");
  }

  stringMap(key) {
    const value = this.raw(key);
    const fits = isObject(value) && Object.values(value).every((one) => typeof one === "string");
    return fits ? value : this.fail(key, "an object of texts");
  }

  boolean(key) {
    const value = this.raw(key);
    return typeof value === "boolean" ? value : this.fail(key, "true or false");
  }

  digest(key) {
    const value = this.raw(key);
    return typeof value === "string" && /^[0-9a-f]{64}$/.test(value) ? value : this.fail(key, "64 hexadecimal digits");
  }

  /** Null, or what `read` makes of it. */
  nullable(key, read) {
    return this.raw(key) === null ? null : read();
  }

  /** An object that only its writer reads. */
  optionalObject(key) {
    const value = this.optional(key);
    return value === undefined || isObject(value) ? value : this.fail(key, "an object or nothing");
  }

  part(key, read) {
    const value = this.optional(key);
    return value === undefined ? undefined : read(value);
  }

  /** `scale` and `zero_point`: required for the integer types, unknown fields for the rest. */
  quantization(dtype) {
    if (!(dtype in ZERO_POINTS)) return {};
    const [low, high] = ZERO_POINTS[dtype];
    return { scale: this.number("scale", 1e-12, 1e6), zeroPoint: this.integer("zero_point", low, high) };
  }

  fail(key, expected) {
    throw new EngineError(`The contract's ${this.where}${key} is ${shown(this.data[key])}, expected ${expected}.`);
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value) {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
