// @ts-check
// Files of weights in → networks that take pictures and give numbers, on onnxruntime-web.

import { calibrate } from "./calibration.js";
import { CROP } from "./alignment.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./mtcnn.js").Run} Run */
/** @typedef {typeof import("onnxruntime-web")} Runtime */

/**
 * @typedef {object} ModelSettings as tools/make_page.py writes them
 * @property {string} name
 * @property {string} method whose number becomes the score
 * @property {string[]} exits the outputs that it takes the weighted mean of
 * @property {string} map the output that is drawn
 * @property {[rows: number, columns: number]} grid
 * @property {import("./calibration.js").Calibration} calibration
 */

/**
 * @typedef {object} Judged
 * @property {number} score 0 to 100, higher = better
 * @property {number} raw the method's own number
 * @property {number[]} map row by row, higher = more useful
 */

/**
 * @typedef {object} Networks
 * @property {Run} run the detector's
 * @property {(crop: Picture) => Promise<Judged>} judge
 */

/**
 * @param {Runtime} ort
 * @param {(name: string) => Promise<Uint8Array>} load gives the file of a network
 * @param {ModelSettings} settings
 * @param {boolean} [gpu] whether WebGPU runs the quality network; the detector's are too small to gain from it
 * @returns {Promise<Networks>}
 */
export async function openNetworks(ort, load, settings, gpu = false) {
  const names = ["pnet", "rnet", "onet", "quality"];
  const files = await Promise.all(names.map(load));
  /** @type {Record<string, import("onnxruntime-web").InferenceSession>} */
  const sessions = {};
  for (const [i, name] of names.entries()) {
    // every pyramid level has another size, so the detector's memory follows no pattern
    const enableMemPattern = name === "quality";
    const executionProviders = gpu && name === "quality" ? ["webgpu"] : ["wasm"];
    const options = { executionProviders, enableMemPattern, logSeverityLevel: /** @type {const} */ (3) };
    sessions[name] = await ort.InferenceSession.create(files[i], options);
  }

  /** @type {Run} */
  async function run(name, pictures) {
    const { width, height } = pictures[0];
    const data = new Uint8Array(pictures.length * width * height * 3);
    pictures.forEach((picture, i) => data.set(picture.data, i * width * height * 3));
    const image = new ort.Tensor("uint8", data, [pictures.length, height, width, 3]);
    return /** @type {any} */ (sessions[name].run({ image }));
  }

  /** @param {Picture} crop */
  async function judge(crop) {
    const crops = new ort.Tensor("uint8", crop.data, [1, CROP, CROP, 3]);
    const found = await sessions.quality.run({ crops });
    const number = (/** @type {string} */ name) => /** @type {Float32Array} */ (found[name].data)[0];
    // deeper exits weigh more: exit-depth of src/fiqa/methods/exits.py
    let [sum, weights] = [0, 0];
    settings.exits.forEach((name, i) => {
      sum += number(name) * (i + 1);
      weights += i + 1;
    });
    const raw = sum / weights;
    const map = Array.from(/** @type {Float32Array} */ (found[settings.map].data));
    return { score: calibrate(settings.calibration, raw), raw, map };
  }

  return { run, judge };
}
