/** Something that the person before the screen can understand and act on; its message is a whole sentence. */
export class PageError extends Error {
  name = "PageError";
}

/**
 * One sentence for whatever was thrown.
 * @param {any} error
 */
export function sentence(error) {
  if (error?.name === "PageError" || error?.name === "EngineError") return error.message;
  return `Something went wrong that this page did not expect: ${error?.message || error}. Reload the page to start again.`;
}
