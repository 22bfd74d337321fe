// Which accelerator: WebAssembly, or WebGPU where it is there, gives the same and is faster.

const [WARM, TIMED] = [3, 7];
const HOPELESS = 4; // times as slow: one run tells
const MOST_WAIT_MS = 20_000; // a GPU in software compiles for a minute what a real one does in a second
const MOST_DIFFERENCE = 1e-2; // of a probability: a GPU may compute in half precision

/**
 * @param {(accelerator: "wasm" | "webgpu") => Promise<any>} open
 * @param {"auto" | "wasm" | "webgpu"} wanted
 * @param {() => any} sample values for the input
 * @param {(output: any) => Float32Array} probability
 * @param {number} wait milliseconds that WebGPU has to start and give its first mask
 * @returns {Promise<{model: any, note: string}>}
 */
export async function chooseAccelerator(open, wanted, sample, probability, wait = MOST_WAIT_MS) {
  const model = await open("wasm");
  if (wanted === "wasm") return { model, note: "" };
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter)
    return {
      model,
      note: wanted === "webgpu" ? "This browser gives no WebGPU here, so the network runs on WebAssembly." : "",
    };
  const emulated = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter; // by the processor, for those who ask for it
  if (emulated && wanted === "auto") return { model, note: "" };
  try {
    return await within(wait, started(open, sample), ([gpu, first]) =>
      faster(model, gpu, first, wanted, sample, probability),
    );
  } catch (error) {
    return {
      model,
      note: `WebGPU did not work (${String(error?.message ?? error).split("\n")[0]}), so the network runs on WebAssembly.`,
    };
  }
}

async function started(open, sample) {
  const gpu = await open("webgpu");
  return [gpu, await gpu.run(sample())];
}

/** `then` of what the promise gives; an error where it takes longer. What comes too late is closed. */
async function within(wait, promise, then) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      promise.then(
        ([gpu]) => gpu.close(),
        () => {},
      );
      reject(new Error(`no mask within ${wait / 1000} s`));
    }, wait);
  });
  const found = await Promise.race([promise, late]).finally(() => clearTimeout(timer));
  return then(found);
}

async function faster(wasm, gpu, first, wanted, sample, probability) {
  const [a, b] = [probability(await wasm.run(sample())), probability(first)];
  const differs = a.some((p, k) => !(Math.abs(p - b[k]) <= MOST_DIFFERENCE));
  const slower = !differs && wanted === "auto" && (await isSlower(gpu, wasm, sample));
  if (!differs && !slower) {
    wasm.close();
    return { model: gpu, note: "" };
  }
  gpu.close();
  return {
    model: wasm,
    note: differs
      ? "WebGPU gave another mask here, so the network runs on WebAssembly."
      : "WebAssembly is faster than WebGPU here.",
  };
}

async function isSlower(gpu, wasm, sample) {
  const known = await median(wasm, sample, Infinity);
  return (await median(gpu, sample, HOPELESS * known)) >= known;
}

/** Milliseconds of a run; the first one over `most`, where one is, once the model is warm. */
async function median(model, sample, most) {
  const times = [];
  for (let k = 0; k < WARM + TIMED; k++) {
    const start = performance.now();
    await model.run(sample());
    const time = performance.now() - start;
    if (k >= WARM && time > most) return time;
    times.push(time);
  }
  return times.slice(WARM).sort((a, b) => a - b)[TIMED >> 1];
}
