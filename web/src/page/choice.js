// Which model runs, on what, with how many threads.

import { Engine } from "../engine/engine.js";
import { PageError } from "./errors.js";
import { fetchModel, listModels, readModel } from "./models.js";
import { chosen, onChoice, onFiles, place } from "./place.js";

export class Choice {
  /** @param {{open: (engine: any) => void, changed: () => void, busy: (text: string) => void, fail: (error: any) => void}} react */
  constructor(react) {
    this.react = react;
    this.models = [];
    this.engine = null;
    this.present = null;
    this.refused = null;
    this.turn = 0;
    this.threads();
    for (const id of ["backend", "threads"]) place(id).addEventListener("change", () => this.load(this.present));
    place("model").addEventListener("change", (event) => this.load(this.models[event.target.value]));
    onFiles("own-model", "model-file", (files) => this.own(files));
    onChoice("preset", (preset) => this.preset(preset));
  }

  /** The site's models, the first of them opened that works here; of those before it the page says why not. */
  async start() {
    try {
      this.models = (await listModels()).map((entry) => ({ name: entry.name, read: () => fetchModel(entry) }));
      if (!this.models.length) throw new PageError("This site brings no model along. Open one of yours.");
      this.list();
    } catch (error) {
      return this.react.fail(error);
    }
    const turn = this.turn;
    for (const [k, model] of this.models.entries()) {
      if (this.turn !== turn + k || (await this.load(model))) break;
    }
    if (this.refused && this.engine) this.react.fail(this.refused);
  }

  /** A model of the user's joins the list, once it works. @param {File[]} files */
  async own(files) {
    try {
      const read = await readModel(files);
      const model = { name: read.name, read: async () => read };
      if (await this.load(model)) this.models = [...this.models.filter(({ name }) => name !== model.name), model];
      this.list();
    } catch (error) {
      this.react.fail(error);
    }
  }

  /** @returns {Promise<boolean>} whether it runs; the model before stays where it does not */
  async load(model) {
    if (!model) return false;
    const turn = ++this.turn;
    this.react.busy(`Loading ${model.name}…`);
    try {
      const { bytes, name, contract } = await model.read();
      const engine = await Engine.open(bytes.slice(), { name, contract, ...this.wishes() });
      if (turn !== this.turn) {
        engine.close();
        return false;
      }
      this.present = model;
      this.engine = engine;
      this.react.open(engine);
      return true;
    } catch (error) {
      if (turn === this.turn) this.react.fail((this.refused = error));
      return false;
    } finally {
      if (turn === this.turn) this.list();
    }
  }

  wishes() {
    const threads = place("threads").value;
    return {
      backend: place("backend").value,
      threads: threads === "auto" ? "auto" : Number(threads),
      preset: chosen("preset"),
    };
  }

  async preset(name) {
    try {
      await this.engine?.setPreset(name);
      this.react.changed();
    } catch (error) {
      this.react.fail(error);
    }
  }

  list() {
    const shown = Math.max(
      0,
      this.models.findIndex((model) => model === this.present),
    );
    place("model").replaceChildren(
      ...this.models.map((model, k) => new Option(model.name, String(k), false, k === shown)),
    );
  }

  threads() {
    const most = self.crossOriginIsolated ? navigator.hardwareConcurrency || 1 : 1;
    for (let n = 1; n <= Math.min(most, 8); n *= 2) place("threads").append(new Option(String(n), String(n)));
  }
}
