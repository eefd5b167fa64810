// @ts-check
// Questions to the worker in → promises of its answers out.

/** @typedef {import("../engine/pipeline.js").Quality} Quality */
/** @typedef {import("../engine/pipeline.js").Settings} Settings */
/** @typedef {import("../engine/picture.js").Picture} Picture */

export class Engine {
  constructor() {
    /** @type {Map<number, {resolve: (found: any) => void, reject: (error: Error) => void}>} */
    this._waiting = new Map();
    this._asked = 0;
    this._worker = this._start();
  }

  _start() {
    const worker = new Worker(new URL("../engine/worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      const waiting = this._waiting.get(data.id);
      this._waiting.delete(data.id);
      if ("error" in data) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.found);
    });
    worker.addEventListener("error", (event) => this._fail(event.message || "the worker failed"));
    return worker;
  }

  /** @param {string} message */
  _fail(message) {
    for (const { reject } of this._waiting.values()) reject(new Error(message));
    this._waiting.clear();
  }

  /**
   * Load everything, so that the first photo does not wait.
   * @param {boolean} [gpu] on the graphics processor; rejects where there is none, or it gives other numbers
   * @returns {Promise<Settings>}
   */
  open(gpu = false) {
    return this._ask({ ask: "open", gpu });
  }

  /** Begin anew with a fresh worker; what was asked of the old one fails. */
  restart() {
    this._worker.terminate();
    this._fail("the engine was started anew");
    this._worker = this._start();
  }

  /**
   * @param {Blob} file
   * @returns {Promise<Quality>}
   */
  judge(file) {
    return this._ask({ ask: "judge", file });
  }

  /**
   * A camera's frame, with its score only if that is asked for; the frame is used up.
   * @param {ImageBitmap} frame
   * @param {boolean} score
   * @returns {Promise<Quality>}
   */
  look(frame, score) {
    return this._ask({ ask: "look", frame, score }, [frame]);
  }

  /**
   * The crop around landmarks that the server found; without them, the picture as it is.
   * @param {Blob} file
   * @param {import("../engine/mtcnn.js").Point[] | null} landmarks
   * @returns {Promise<Picture | null>}
   */
  cut(file, landmarks) {
    return this._ask({ ask: "cut", file, landmarks });
  }

  /**
   * @param {object} question
   * @param {Transferable[]} [transfer]
   * @returns {Promise<any>}
   */
  _ask(question, transfer = []) {
    const id = ++this._asked;
    return new Promise((resolve, reject) => {
      this._waiting.set(id, { resolve, reject });
      this._worker.postMessage({ ...question, id }, transfer);
    });
  }
}
