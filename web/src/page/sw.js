// Keeps the whole site for use without a network, one cache for each build, and gives every answer the headers that
// cross-origin isolation needs, for hosts that cannot send them: without isolation there are no threads.

/* global SITE -- {version, files}, put in by the build */

const PREFIX = "segedge-";
const CACHE = PREFIX + SITE.version;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forget().then(() => self.clients.claim())));
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(SITE.files.map((file) => new Request(file, { cache: "no-cache" })));
}

async function forget() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** What is too large for the first visit, the interpreter for WebGPU, is kept when it is first used. */
async function fetched(request, cache) {
  const found = await fetch(request);
  if (found.status === 200 && request.url.startsWith(new URL("./engine/", location.href).href))
    await cache.put(request, found.clone());
  return found;
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const home = new URL("./", location.href).href;
  const wanted = request.url.split(/[?#]/)[0] === home ? new URL("index.html", home).href : request;
  const found = (await cache.match(wanted, { ignoreSearch: true })) ?? (await fetched(request, cache));
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const empty = [101, 204, 205, 304].includes(found.status);
  return new Response(empty ? null : found.body, { status: found.status, statusText: found.statusText, headers });
}
