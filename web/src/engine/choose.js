// Which accelerator: WebAssembly, or WebGPU where it is there, gives the same and is faster.

const [WARM, TIMED] = [3, 7];
const HOPELESS = 4; // times the other's median: no more runs are spent on it
const MOST_DIFFERENCE = 1e-2; // of a probability: a GPU may compute in half precision

/**
 * @param {(accelerator: "wasm" | "webgpu") => Promise<any>} open
 * @param {"auto" | "wasm" | "webgpu"} wanted
 * @param {() => any} sample values for the input
 * @param {(output: any) => Float32Array} probability
 * @returns {Promise<{model: any, note: string}>}
 */
export async function chooseAccelerator(open, wanted, sample, probability) {
  const model = await open("wasm");
  if (wanted === "wasm") return { model, note: "" };
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return { model, note: wanted === "webgpu" ? "This browser gives no WebGPU here, so the network runs on WebAssembly." : "" };
  const emulated = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter; // by the processor, for those who ask for it
  if (emulated && wanted === "auto") return { model, note: "" };
  try {
    return await faster(model, await open("webgpu"), wanted, sample, probability);
  } catch (error) {
    return { model, note: `WebGPU did not work (${String(error?.message ?? error).split("\n")[0]}), so the network runs on WebAssembly.` };
  }
}

async function faster(wasm, gpu, wanted, sample, probability) {
  const [a, b] = [probability(await wasm.run(sample())), probability(await gpu.run(sample()))];
  const differs = a.some((p, k) => !(Math.abs(p - b[k]) <= MOST_DIFFERENCE));
  const slower = !differs && wanted === "auto" && (await isSlower(gpu, wasm, sample));
  if (!differs && !slower) {
    wasm.close();
    return { model: gpu, note: "" };
  }
  gpu.close();
  return { model: wasm, note: differs ? "WebGPU gave another mask here, so the network runs on WebAssembly." : "WebAssembly is faster than WebGPU here." };
}

async function isSlower(gpu, wasm, sample) {
  const limit = await median(wasm, sample, Infinity);
  return (await median(gpu, sample, HOPELESS * limit)) >= limit;
}

/** In milliseconds, after some runs to warm up; infinity once a warm run takes longer than `most`. */
async function median(model, sample, most) {
  const times = [];
  for (let k = 0; k < WARM + TIMED; k++) {
    const start = performance.now();
    await model.run(sample());
    times.push(performance.now() - start);
    if (k > 0 && times[k] > most) return Infinity;
  }
  return times.slice(WARM).sort((a, b) => a - b)[TIMED >> 1];
}
