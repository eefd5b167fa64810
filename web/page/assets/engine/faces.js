// @ts-check
// A photo in → its faces out, the largest first; a second look where the first finds nothing, or a tilted face.

import { mean, rollOf } from "./alignment.js";
import { detect, rounded } from "./mtcnn.js";
import { blank, cut } from "./picture.js";
import { resize, rotate } from "./resampling.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./mtcnn.js").Face} Face */
/** @typedef {import("./mtcnn.js").Point} Point */
/** @typedef {import("./mtcnn.js").Run} Run */
/** @typedef {import("./mtcnn.js").DetectorSettings} DetectorSettings */

const PAD_SIDE = 160; // longer side of the copy that gets a border when a first look finds nothing
const STEEP = 15; // degrees of tilt from which the landmarks lag behind the face
const AROUND = 3; // side of what is looked at again, in longer sides of the face's box

/**
 * @param {Run} run
 * @param {Picture} picture
 * @param {DetectorSettings} settings
 * @returns {Promise<Face[]>}
 */
export async function findFaces(run, picture, settings) {
  const found = await detect(run, picture, settings);
  return found.length ? found : lookPadded(run, picture, settings);
}

/**
 * A detector expects some surroundings, and a face may fill the frame.
 * @param {Run} run
 * @param {Picture} picture
 * @param {DetectorSettings} settings
 * @returns {Promise<Face[]>}
 */
async function lookPadded(run, picture, settings) {
  const scale = Math.min(1, PAD_SIDE / Math.max(picture.width, picture.height));
  let small = picture;
  if (scale < 1) {
    const size = [picture.width, picture.height].map((side) => Math.max(1, rounded(side * scale)));
    small = resize(picture, size[0], size[1], undefined, 2);
  }
  const border = Math.floor(Math.max(small.width, small.height) / 2);
  const padded = cut(small, -border, -border, small.width + border, small.height + border);
  const back = (/** @type {number} */ value) => (value - border) / scale;
  return (await detect(run, padded, settings)).map((face) => ({
    ...face,
    box: /** @type {Face["box"]} */ (face.box.map(back)),
    landmarks: face.landmarks.map(([x, y]) => /** @type {Point} */ ([back(x), back(y)])),
  }));
}

/**
 * Degrees by which a face is tilted clockwise; a steep one is turned upright and looked at again.
 * @param {Run} run
 * @param {Picture} picture
 * @param {Face} face
 * @param {DetectorSettings} settings
 * @returns {Promise<number>}
 */
export async function rollAgain(run, picture, face, settings) {
  const roll = rollOf(face.landmarks);
  if (Math.abs(roll) <= STEEP) return roll;
  const side = AROUND * Math.max(face.box[2] - face.box[0], face.box[3] - face.box[1]);
  const [x, y] = mean(face.landmarks);
  const [left, top, right, bottom] = [x - side / 2, y - side / 2, x + side / 2, y + side / 2].map((at) =>
    rounded(at + 0.5),
  );
  if (right <= left || bottom <= top) return roll;
  const level = rotate(cut(picture, left, top, right, bottom), roll);
  const found = await findFaces(run, level, settings);
  if (!found.length) return roll;
  const away = (/** @type {Face} */ one) => {
    const [atX, atY] = mean(one.landmarks);
    return Math.hypot(atX - level.width / 2, atY - level.height / 2);
  };
  const nearest = found.reduce((one, other) => (away(other) < away(one) ? other : one));
  const rest = rollOf(nearest.landmarks);
  return Math.abs(rest) <= 2 * STEEP ? roll + rest : roll; // another face, or none at all
}

/** A black picture: the first look at it costs what a network's first run costs. */
export function nothing() {
  return blank(160, 160);
}
