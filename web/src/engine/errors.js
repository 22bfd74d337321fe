/** What a person can read: what failed, what was found, what to do. */
export class EngineError extends Error {
  name = "EngineError";
}
