// Serves dist/ on this machine only, with the headers that give the page threads. `node serve.mjs [--port N] [--plain]`

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const DIST = fileURLToPath(new URL("dist/", import.meta.url));

/**
 * A server of one folder, bound to 127.0.0.1.
 * @param {{root?: string, port?: number, isolated?: boolean}} options `isolated`: send the headers of cross-origin isolation
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function serve({ root = DIST, port = 0, isolated = true } = {}) {
  const server = http.createServer((request, answer) => send(path.resolve(root), isolated, request, answer));
  await new Promise((resolve, reject) =>
    server.once("error", reject).listen(port, "127.0.0.1", () => resolve(undefined)),
  );
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  const stop = () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));
  return { url: `http://127.0.0.1:${address.port}/`, stop };
}

async function send(root, isolated, request, answer) {
  const headers = { "Cache-Control": "no-cache", ...(isolated ? ISOLATION : {}) };
  const file = fileOf(root, request.url);
  const found = file && (await stat(file).catch(() => null));
  if (!found?.isFile() || !["GET", "HEAD"].includes(request.method))
    return answer.writeHead(404, headers).end("not here\n");
  answer.writeHead(200, {
    ...headers,
    "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream",
    "Content-Length": found.size,
  });
  if (request.method === "HEAD") return answer.end();
  return createReadStream(file)
    .on("error", () => answer.destroy())
    .pipe(answer);
}

/** The file that a URL means, or null where it lies outside the folder. */
function fileOf(root, url) {
  try {
    const name = decodeURIComponent(new URL(url, "http://site").pathname);
    const file = path.join(root, name.endsWith("/") ? `${name}index.html` : name);
    return file.startsWith(root + path.sep) && !file.includes("\0") ? file : null;
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--port");
  const port = at < 0 ? 8080 : Number(process.argv[at + 1]);
  try {
    const { url } = await serve({ port, isolated: !process.argv.includes("--plain") });
    console.log(`${url}  (Ctrl-C stops it)`);
  } catch (error) {
    const why = error.code === "EADDRINUSE" ? `port ${port} is in use; take another one with --port` : error.message;
    console.error(`serve: ${why}`);
    process.exitCode = 1;
  }
}
