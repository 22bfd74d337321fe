// The page alone as a site, with the stub in the engine's place: built into a temporary folder and served from memory.

import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const WEB = fileURLToPath(new URL("..", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webmanifest": "application/manifest+json",
};
const MODELS = ["first.tflite", "second.onnx"];

/** @returns {Promise<Map<string, Buffer>>} path → bytes */
export async function siteFiles(note = "") {
  const files = new Map();
  for (const entry of await readdir(path.join(WEB, "public"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const whole = path.join(entry.parentPath ?? entry.path, entry.name);
    files.set(path.relative(path.join(WEB, "public"), whole), await readFile(whole));
  }
  files.set("models.json", Buffer.from(JSON.stringify(MODELS.map((file) => ({ file, name: file, bytes: 4 })))));
  for (const file of MODELS) files.set(file, Buffer.from("okay"));
  files.set("page.js", await bundled("src/page/main.js", { format: "esm", banner: { js: `/* ${note} */` } }));
  const version = createHash("sha256").update(files.get("page.js")).digest("hex").slice(0, 16);
  files.set(
    "sw.js",
    await bundled("src/page/sw.js", {
      format: "iife",
      define: { SITE: JSON.stringify({ version, files: [...files.keys()] }) },
    }),
  );
  return files;
}

async function bundled(entry, options) {
  const stub = {
    name: "stub",
    setup: (at) =>
      at.onResolve({ filter: /engine\/engine\.js$/ }, () => ({ path: path.join(WEB, "test/page_stub.mjs") })),
  };
  const result = await build({
    entryPoints: [path.join(WEB, entry)],
    bundle: true,
    write: false,
    plugins: [stub],
    ...options,
  });
  return Buffer.from(result.outputFiles[0].contents);
}

/**
 * A server for these files on 127.0.0.1, closed by the test.
 * @param {{files: Map<string, Buffer>, isolated: boolean, stop: () => Promise<void>, url?: string}} site its files may be exchanged while it runs
 */
export async function serve(site) {
  const server = http.createServer((request, answer) => {
    const name = decodeURIComponent(new URL(request.url, "http://site").pathname).slice(1) || "index.html";
    const bytes = site.files.get(name);
    const headers = {
      "Content-Type": TYPES[path.extname(name)] ?? "application/octet-stream",
      "Cache-Control": "no-cache",
    };
    if (site.isolated)
      Object.assign(headers, {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      });
    answer.writeHead(bytes ? 200 : 404, headers).end(bytes ?? "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  server.unref();
  const { port } = /** @type {any} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  };
}
