// The worker's side of the talk with engine.js: one answer for each request, errors as sentences.

import { Chain } from "./chain.js";
import { EngineError } from "./errors.js";

/** @param {(bytes: Uint8Array, contract: any, options: any) => Promise<any>} open */
export function serveRequests(open) {
  let chain = null;
  const asks = {
    open: async (options) => {
      chain = await Chain.open(open, options);
      return chain.facts;
    },
    run: ({ source, reset }) => {
      if (reset) chain.reset();
      return chain.run(source);
    },
    steps: ({ frame }) => chain.steps(frame),
    refined: ({ frame }) => chain.refined(frame),
    preset: ({ name }) => chain.setPreset(name),
    reset: () => chain.reset(),
  };
  self.onmessage = async ({ data: { id, ask, ...rest } }) => {
    try {
      const value = await asks[ask](rest);
      self.postMessage({ id, value }, /** @type {any} */ (transfers(value)));
    } catch (error) {
      const text =
        error instanceof EngineError
          ? error.message
          : `The network stopped: ${String(error?.message ?? error).split("\n")[0]}. Choose a smaller model, or reload the page.`;
      self.postMessage({ id, error: text });
    }
  };
}

function transfers(value) {
  return value?.slope ? [value.slope.buffer, value.offset.buffer] : [];
}
