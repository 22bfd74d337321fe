// One frame at a time from the source through the engine to the screen; while one is under way the newest of the others waits.

export class Loop {
  /**
   * @param {{compositor: any, stats: import("./stats.js").Stats, show: () => void, fail: (error: any) => void, seen: (result: any) => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    /** @type {any} */ (this).engine = this.source = this.unwatch = null;
    this.busy = this.waiting = this.fresh = false;
    this.paused = false;
  }

  /** Another source, or none: what is under way is thrown away. */
  setSource(source) {
    this.unwatch?.();
    if (this.source !== source) this.source?.close();
    this.source = source;
    this.stats.clear();
    this.unwatch = source?.watch ? source.watch(() => this.offer()) : null;
    this.again();
  }

  /** Another engine; the old one is closed. */
  setEngine(engine) {
    if (this.engine !== engine) this.engine?.close();
    this.engine = engine;
    this.stats.clear();
    this.again();
  }

  /** The next frame does not follow the one before. */
  forget() {
    this.fresh = true;
  }

  /** A jump, other settings, a lost screen: this frame once more, without the memory of the one before. */
  again() {
    this.forget();
    this.offer();
  }

  /** There is a new frame. */
  offer() {
    if (!this.engine || !this.source || this.paused) return;
    if (this.busy) {
      if (this.waiting) this.stats.dropped++;
      this.waiting = true;
      return;
    }
    this.busy = true;
    this.frame(this.engine, this.source)
      .catch((error) => this.stale(this.engine, this.source) || this.fail(error))
      .finally(() => {
        this.busy = false;
        if (this.waiting) {
          this.waiting = false;
          this.offer();
        }
      });
  }

  async frame(engine, source) {
    const reset = this.fresh;
    this.fresh = false;
    const start = performance.now();
    const picture = await source.grab();
    if (this.stale(engine, source)) return picture.close();
    this.compositor.upload(picture);
    const read = performance.now() - start;
    try {
      const mask = await engine.run(picture, { reset });
      if (this.stale(engine, source)) return;
      const drawing = performance.now();
      this.compositor.accept(mask);
      this.show();
      const at = performance.now();
      this.stats.add({
        at,
        age: at - start,
        times: { ...mask.times, read: read + (mask.times.read ?? 0), draw: at - drawing },
      });
      this.seen(mask);
    } catch (error) {
      if (!this.stale(engine, source)) throw error;
    }
  }

  stale(engine, source) {
    return engine !== this.engine || source !== this.source;
  }
}
