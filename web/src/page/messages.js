// What the page says: a quiet line for what happens, a box for what failed.

export class Messages {
  /** @param {{status: HTMLElement, alert: HTMLElement, alertText: HTMLElement, close: HTMLElement}} places */
  constructor(places) {
    Object.assign(this, places);
    places.close.addEventListener("click", () => this.clear());
  }

  /** Read out by a screen reader when it gets to it. @param {string} text */
  say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  /**
   * Read out at once; stays until it is closed or what it is about works.
   * @param {string} text
   * @param {string} about
   */
  fail(text, about = "") {
    this.about = about;
    this.alertText.textContent = text;
    this.alert.hidden = false;
  }

  /** @param {string} [about] only what was said about it; all where not given */
  clear(about) {
    if (about !== undefined && about !== this.about) return;
    this.alert.hidden = true;
    this.alertText.textContent = "";
  }
}
