// The service worker's side that the page sees: offline use, new versions, isolation on hosts that cannot send headers.

const ONCE = "segedge-isolated";

/**
 * @param {{news: (load: () => void) => void, idle: () => boolean}} react
 *   `news`: a new version waits, `load` takes it; `idle`: whether the page may reload by itself
 */
export async function goOffline(react) {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  let wanted = false;
  serviceWorker.addEventListener("controllerchange", () => {
    if (wanted) location.reload();
    else if (!self.crossOriginIsolated && react.idle() && !sessionStorage.getItem(ONCE)) {
      sessionStorage.setItem(ONCE, "tried");
      location.reload();
    }
  });
  const registration = await serviceWorker.register("sw.js", { updateViaCache: "none" });
  const offer = (worker) =>
    react.news(() => {
      wanted = true;
      worker.postMessage("take over");
    });
  if (registration.waiting && serviceWorker.controller) offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker?.addEventListener("statechange", () => {
      if (worker.state === "installed" && serviceWorker.controller) offer(worker);
    });
  });
}
