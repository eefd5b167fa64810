// @ts-check
// The photos of this visit: scored one after the other, listed worst first, compared, saved and removed.

import { cardOf } from "./card.js";
import { showComparison } from "./comparison.js";
import { byId } from "./dom.js";
import { t } from "./strings.js";
import { toCsv } from "./table.js";

/** @typedef {import("./card.js").Photo} Photo */
/** @typedef {import("../engine/pipeline.js").Quality} Quality */

export class Gallery {
  /** @param {(file: Blob, name: string) => Promise<Quality>} judge */
  constructor(judge) {
    this._judge = judge;
    /** @type {Photo[]} */
    this.photos = [];
    /** @type {Set<number>} */
    this._compared = new Set();
    this._last = 0;
    this._working = false;
    byId("download").addEventListener("click", () => this.download());
    byId("clear").addEventListener("click", () => this.clear());
    byId("compare").addEventListener("click", () => this.compare());
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) this.photos.push({ id: ++this._last, name: file.name, file, quality: null });
    this.render();
    void this._work();
  }

  /**
   * A photo that has been judged already.
   * @param {File} file
   * @param {Quality} quality
   */
  addJudged(file, quality) {
    this.photos.push({ id: ++this._last, name: file.name, file, quality });
    this.render();
    this._tell();
  }

  /** Say everything again, as after a change of language. */
  retell() {
    this.render();
    this._tell();
    if (!byId("comparison").hidden) this._showComparison();
  }

  /** Judge again, as after a change of where that is done. */
  again() {
    for (const photo of this.photos) photo.quality = null;
    byId("comparison").hidden = true;
    this.render();
    void this._work();
  }

  async _work() {
    if (this._working) return;
    this._working = true;
    for (let photo = this._next(); photo; photo = this._next()) {
      this._tell();
      const file = photo.file;
      const quality = await this._judge(file, photo.name);
      photo.quality = quality;
      this.render();
    }
    this._working = false;
    this._tell();
  }

  _next() {
    return this.photos.find(({ quality }) => quality === null);
  }

  _tell() {
    const [all, done] = [this.photos.length, this.photos.filter(({ quality }) => quality).length];
    const text = done < all ? "progress.scoring" : "progress.done";
    byId("progress").textContent = all ? t(text, { all, done }) : "";
  }

  /** Worst first: what has no score before what has one; what waits comes last. */
  sorted() {
    const rank = (/** @type {Photo} */ { quality }) => (quality ? (quality.score ?? -1) : 101);
    return [...this.photos].sort((one, other) => rank(one) - rank(other) || one.id - other.id);
  }

  render() {
    const focused = document.activeElement?.closest("li.photo");
    const at = focused instanceof HTMLElement ? focused.dataset.id : undefined;
    const which = [...(focused?.querySelectorAll("button, input") ?? [])].findIndex((one) => one.matches(":focus"));
    byId("results").hidden = !this.photos.length;
    byId("list").replaceChildren(
      ...this.sorted().map((photo) =>
        cardOf(photo, {
          compared: this._compared.has(photo.id),
          onCompare: (chosen) => this._choose(photo.id, chosen),
          onRemove: () => this.remove(photo.id),
        }),
      ),
    );
    /** @type {HTMLButtonElement} */ (byId("compare")).disabled = this._compared.size !== 2;
    if (at !== undefined) {
      const same = document.querySelector(`li.photo[data-id="${at}"]`);
      /** @type {HTMLElement | undefined} */ (same?.querySelectorAll("button, input")[which])?.focus();
    }
  }

  /**
   * Of more than two, the last two are compared.
   * @param {number} id
   * @param {boolean} chosen
   */
  _choose(id, chosen) {
    if (chosen) this._compared.add(id);
    else this._compared.delete(id);
    if (this._compared.size > 2) this._compared.delete([...this._compared][0]);
    this.render();
  }

  compare() {
    this._showComparison();
    byId("comparison").focus();
  }

  _showComparison() {
    const [one, other] = this.photos.filter(({ id }) => this._compared.has(id));
    if (!one || !other) return;
    showComparison(byId("comparison"), one, other, () => {
      byId("comparison").hidden = true;
      byId("compare").focus();
    });
  }

  /** @param {number} id */
  remove(id) {
    const order = this.sorted();
    const place = order.findIndex((photo) => photo.id === id);
    this.photos = this.photos.filter((photo) => photo.id !== id);
    this._compared.delete(id);
    byId("comparison").hidden = true;
    this.render();
    this._tell();
    const next = (order[place + 1] ?? order[place - 1])?.id;
    const buttons = document.querySelectorAll(`li.photo[data-id="${next}"] button`);
    /** @type {HTMLElement} */ (buttons.length ? buttons[buttons.length - 1] : byId("choose")).focus();
  }

  clear() {
    this.photos = [];
    this._compared.clear();
    byId("comparison").hidden = true;
    this.render();
    this._tell();
    byId("choose").focus();
  }

  download() {
    const judged = this.sorted().flatMap(({ name, quality }) => (quality ? [{ name, quality }] : []));
    const address = URL.createObjectURL(new Blob([toCsv(judged)], { type: "text/csv" }));
    const link = Object.assign(document.createElement("a"), { href: address, download: "fiqa.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
