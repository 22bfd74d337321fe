// Builds the static site into dist/: the page, the engine with its two workers, what the interpreters need, and the bundled models.

import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const WEB = fileURLToPath(new URL(".", import.meta.url));
const DIST = path.join(WEB, "dist");
const MODELS = path.join(WEB, "../runtime/segruntime/models");
const NAMES = {
  "mobile_unet_int8.tflite": "MobileUNet, int8 (LiteRT)",
  "mobile_unet_float16.tflite": "MobileUNet, float16 (LiteRT)",
  "mobile_unet.onnx": "MobileUNet, float32 (ONNX)",
};
const WASM = {
  "node_modules/@litertjs/core/wasm": [
    "litert_wasm_internal",
    "litert_wasm_compat_internal",
    "litert_wasm_threaded_internal",
  ].flatMap((name) => [`${name}.js`, `${name}.wasm`]),
  "node_modules/onnxruntime-web/dist": ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"].flatMap((name) => [
    `${name}.mjs`,
    `${name}.wasm`,
  ]),
};
const ONLY_WITH_WEBGPU = /asyncify/; // 27 MB that most visitors never need: kept on first use, not on the first visit
const SHARED = {
  bundle: true,
  minify: true,
  logLevel: "warning",
  target: "es2022",
  conditions: ["onnxruntime-web-use-extern-wasm"],
};

await rm(DIST, { recursive: true, force: true });
await mkdir(path.join(DIST, "engine"), { recursive: true });
await Promise.all([copyPublic(), copyWasm(), copyModels(), bundle()]);
await writeServiceWorker();
console.log(`built ${path.relative(process.cwd(), DIST)}`);

async function bundle() {
  await build({
    ...SHARED,
    entryPoints: { page: "src/page/main.js", engine: "src/engine/engine.js" },
    absWorkingDir: WEB,
    outdir: DIST,
    format: "esm",
  });
  // LiteRT.js loads its code with importScripts, which only a classic worker has
  await build({
    ...SHARED,
    entryPoints: { "engine/tflite": "src/engine/tflite_worker.js" },
    absWorkingDir: WEB,
    outdir: DIST,
    format: "iife",
  });
  await build({
    ...SHARED,
    entryPoints: { "engine/onnx": "src/engine/onnx_worker.js" },
    absWorkingDir: WEB,
    outdir: DIST,
    format: "esm",
  });
}

async function copyPublic() {
  await cp(path.join(WEB, "public"), DIST, { recursive: true });
}

async function copyWasm() {
  for (const [folder, files] of Object.entries(WASM)) {
    for (const file of files) await cp(path.join(WEB, folder, file), path.join(DIST, "engine", file));
  }
}

async function copyModels() {
  await mkdir(path.join(DIST, "models"), { recursive: true });
  const list = [];
  for (const [file, name] of Object.entries(NAMES)) {
    await cp(path.join(MODELS, file), path.join(DIST, "models", file));
    list.push({ file: `models/${file}`, name, bytes: (await stat(path.join(MODELS, file))).size });
  }
  await writeFile(path.join(DIST, "models.json"), JSON.stringify(list));
}

/** The service worker gets the list of all files, and a version that changes with any of them. */
async function writeServiceWorker() {
  const entries = await readdir(DIST, { recursive: true, withFileTypes: true });
  const all = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(DIST, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, "/"));
  const digest = createHash("sha256");
  for (const file of all.sort())
    digest
      .update(file)
      .update("\0")
      .update(await readFile(path.join(DIST, file)));
  const site = {
    version: digest.digest("hex").slice(0, 16),
    files: all.filter((file) => !ONLY_WITH_WEBGPU.test(file)),
  };
  await build({
    ...SHARED,
    entryPoints: { sw: "src/page/sw.js" },
    absWorkingDir: WEB,
    outdir: DIST,
    format: "iife",
    define: { SITE: JSON.stringify(site) },
  });
}
