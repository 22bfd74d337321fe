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

  /** Read out at once; stays until it is closed or something works. @param {string} text */
  fail(text) {
    this.alertText.textContent = text;
    this.alert.hidden = false;
  }

  clear() {
    this.alert.hidden = true;
    this.alertText.textContent = "";
  }
}
