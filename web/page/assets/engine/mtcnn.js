// @ts-check
// Pixels in → faces with five landmarks out: three small networks in a cascade, as src/fiqa/faces/mtcnn has it.

import { moved, square, suppress } from "./boxes.js";
import { turned } from "./picture.js";
import { patches, resize } from "./resampling.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./resampling.js").Box} Box */
/** @typedef {[x: number, y: number]} Point in pixels, 0 being the centre of the first pixel */

/**
 * @typedef {object} Face
 * @property {Box} box
 * @property {Point[]} landmarks left eye, right eye, nose tip, left and right mouth corner, as seen in the image
 * @property {number} confidence the detector's own, from 0 to 1
 */

/**
 * @typedef {object} DetectorSettings
 * @property {number} minFace side of the smallest face that is looked for, in pixels
 * @property {[number, number, number]} thresholds least probability that each network must give
 * @property {number} maxSide faces are looked for in a copy whose longer side is at most this
 * @property {number} turnedMargin logits by which a patch may look surer when it is turned
 */

/**
 * Runs a network: its name, patches of one size → its outputs by name, each with its numbers and its shape.
 * @typedef {(name: "pnet" | "rnet" | "onet", patches: Picture[]) =>
 *   Promise<Record<string, {data: Float32Array, dims: readonly number[]}>>} Run
 */

const CELL = 12; // P-Net looks at 12×12 pixels,
const STRIDE = 2; // every 2 pixels
const PYRAMID_STEP = 0.709; // each level has half the area of the one before
const MAX_PROPOSALS = 1000;

/**
 * Faces in a picture, the largest first.
 * @param {Run} run
 * @param {Picture} picture
 * @param {DetectorSettings} settings
 * @returns {Promise<Face[]>}
 */
export async function detect(run, picture, settings) {
  const scale = Math.min(1, settings.maxSide / Math.max(picture.width, picture.height));
  if (Math.min(picture.width, picture.height) * scale < CELL) return [];
  let reduced = picture;
  if (scale < 1) {
    reduced = resize(picture, rounded(picture.width * scale), rounded(picture.height * scale), undefined, 2);
  }
  const boxes = await refine(run, reduced, await propose(run, reduced, settings), settings);
  const [backX, backY] = [picture.width / reduced.width, picture.height / reduced.height];
  const back = boxes.map(([l, t, r, b]) => /** @type {Box} */ ([l * backX, t * backY, r * backX, b * backY]));
  return output(run, picture, back, settings);
}

/**
 * Square boxes that P-Net takes for faces, over a pyramid of sizes.
 * @param {Run} run
 * @param {Picture} picture
 * @param {DetectorSettings} settings
 * @returns {Promise<Box[]>}
 */
async function propose(run, picture, settings) {
  /** @type {Box[]} */
  const found = [];
  /** @type {number[]} */
  const surety = [];
  for (
    let scale = CELL / settings.minFace;
    Math.min(picture.width, picture.height) * scale >= CELL;
    scale *= PYRAMID_STEP
  ) {
    const [width, height] = [Math.ceil(picture.width * scale), Math.ceil(picture.height * scale)];
    const level = resize(picture, width, height);
    const { offsets, score } = await run("pnet", [level]);
    const [rows, columns] = [score.dims[2], score.dims[3]];
    const plane = rows * columns;
    const boxes = [];
    const scores = [];
    for (let i = 0; i < plane; i++) {
      if (!(score.data[plane + i] > settings.thresholds[0])) continue;
      const [x, y] = [(i % columns) * STRIDE, Math.floor(i / columns) * STRIDE];
      const [l, t, r, b] = moved([x, y, x + CELL, y + CELL], offsets.data, i, plane);
      const [backX, backY] = [picture.width / width, picture.height / height];
      boxes.push(/** @type {Box} */ ([l * backX, t * backY, r * backX, b * backY]));
      scores.push(score.data[plane + i]);
    }
    for (const i of suppress(boxes, scores, 0.5)) {
      found.push(boxes[i]);
      surety.push(scores[i]);
    }
  }
  const kept = suppress(found, surety, 0.7).slice(0, MAX_PROPOSALS);
  return kept.map((i) => square(found[i]));
}

/**
 * The square boxes that are left after R-Net's closer look.
 * @param {Run} run
 * @param {Picture} picture
 * @param {Box[]} boxes
 * @param {DetectorSettings} settings
 * @returns {Promise<Box[]>}
 */
async function refine(run, picture, boxes, settings) {
  if (!boxes.length) return [];
  const { offsets, score } = await run("rnet", patches(picture, boxes, 24));
  const sure = indices(boxes).filter((i) => score.data[2 * i + 1] > settings.thresholds[1]);
  const better = sure.map((i) => moved(boxes[i], offsets.data, 4 * i, 1));
  const kept = suppress(better, sure.map((i) => score.data[2 * i + 1]), 0.7);
  return kept.map((i) => square(better[i]));
}

/**
 * O-Net twice: which boxes are faces and where, then the landmarks inside the better boxes.
 * @param {Run} run
 * @param {Picture} picture
 * @param {Box[]} boxes
 * @param {DetectorSettings} settings
 * @returns {Promise<Face[]>}
 */
async function output(run, picture, boxes, settings) {
  if (!boxes.length) return [];
  const first = await run("onet", patches(picture, boxes, 48));
  const better = boxes.map((box, i) => moved(box, first.offsets.data, 4 * i, 1));
  const sure = indices(boxes).filter(
    (i) =>
      first.score.data[2 * i + 1] > settings.thresholds[2] &&
      better[i][2] > better[i][0] &&
      better[i][3] > better[i][1],
  );
  const chosen = suppress(sure.map((i) => better[i]), sure.map((i) => first.score.data[2 * i + 1]), 0.7, true);
  const kept = chosen.map((i) => sure[i]);
  if (!kept.length) return [];
  const squares = kept.map((i) => square(better[i]));
  const looked = patches(picture, squares, 48);
  const { landmarks, score } = await run("onet", looked);
  const otherwise = await bestTurned(run, looked);
  const faces = kept.map((i, n) => {
    const [left, top, right, bottom] = squares[n];
    const points = landmarks.data.subarray(10 * n, 10 * n + 10);
    return {
      box: better[i],
      landmarks: indices([1, 2, 3, 4, 5]).map(
        (k) => /** @type {Point} */ ([left + points[k] * (right - left), top + points[5 + k] * (bottom - top)]),
      ),
      confidence: first.score.data[2 * i + 1],
      upright: otherwise[n] <= logit(score.data[2 * n + 1]) + settings.turnedMargin,
    };
  });
  return faces
    .filter((face) => face.upright)
    .map(({ upright, ...face }) => face)
    .sort((one, other) => sizeOf(other) - sizeOf(one));
}

/**
 * Logits that O-Net gives patches in the best of their other orientations.
 * @param {Run} run
 * @param {Picture[]} looked
 * @returns {Promise<number[]>}
 */
async function bestTurned(run, looked) {
  const all = [1, 2, 3].flatMap((quarters) => looked.map((patch) => turned(patch, quarters)));
  const { score } = await run("onet", all);
  return looked.map((_, i) =>
    Math.max(...[0, 1, 2].map((turn) => logit(score.data[2 * (turn * looked.length + i) + 1]))),
  );
}

/** @param {number} probability */
function logit(probability) {
  const inside = Math.min(1 - 1e-6, Math.max(1e-6, probability));
  return Math.log(inside / (1 - inside));
}

/** @param {Face} face */
export function sizeOf({ box: [left, top, right, bottom] }) {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

/**
 * To the nearest whole number, halves to the even one, as Python rounds.
 * @param {number} value
 */
export function rounded(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/** @param {ArrayLike<unknown>} list */
function indices(list) {
  return Array.from({ length: list.length }, (_, i) => i);
}
