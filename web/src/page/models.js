// Where a model comes from: those that the site brings along, or files of the user's.

import { PageError } from "./errors.js";

const MOST_BYTES = 512e6;

/** @returns {Promise<{file: string, name: string, bytes: number}[]>} */
export async function listModels() {
  const answer = await fetch("models.json");
  if (!answer.ok)
    throw new PageError(
      `The list of models could not be read (status ${answer.status}). Reload the page, or build the site again.`,
    );
  return answer.json();
}

/** A model of the site. @returns {Promise<{bytes: Uint8Array, name: string, contract: undefined}>} */
export async function fetchModel({ file, name }) {
  const answer = await fetch(file).catch(() => null);
  if (!answer?.ok)
    throw new PageError(
      `The model ${name} could not be read from this site. Reload the page, or choose another model.`,
    );
  return { bytes: new Uint8Array(await answer.arrayBuffer()), name, contract: undefined };
}

/**
 * A model of the user's: a .tflite or .onnx, and its contract where it was picked together with it.
 * @param {File[]} files
 */
export async function readModel(files) {
  const contracts = files.filter((file) => file.name.endsWith(".json"));
  const models = files.filter((file) => !file.name.endsWith(".json"));
  if (models.length !== 1 || contracts.length > 1) {
    throw new PageError(
      `Choose one model file, .tflite or .onnx, and with it at most one .contract.json; got ${files.map((file) => file.name).join(", ")}.`,
    );
  }
  const [model] = models;
  if (model.size > MOST_BYTES) {
    throw new PageError(
      `${model.name} has ${Math.round(model.size / 1e6)} MB; this page opens models of up to ${MOST_BYTES / 1e6} MB.`,
    );
  }
  return { bytes: new Uint8Array(await model.arrayBuffer()), name: model.name, contract: await parsed(contracts[0]) };
}

async function parsed(file) {
  if (!file) return undefined;
  try {
    return JSON.parse(await file.text());
  } catch (error) {
    throw new PageError(`${file.name} is not JSON, so it cannot be the model's contract: ${error.message}.`, {
      cause: error,
    });
  }
}
