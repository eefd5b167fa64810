// @ts-check
// Five landmarks in → the 112×112 crop out, as src/fiqa/faces/alignment.py cuts it.

import { blank } from "./picture.js";
import { reduce, warp } from "./resampling.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./mtcnn.js").Point} Point */
/** @typedef {import("./resampling.js").Affine} Affine */

export const CROP = 112;

/** Where the five landmarks lie in the crop: ArcFace's. @type {Point[]} */
export const TEMPLATE = [
  [38.2946, 51.6963],
  [73.5318, 51.5014],
  [56.0252, 71.7366],
  [41.5493, 92.3655],
  [70.7299, 92.2041],
];

/**
 * The rotation, scale and shift that bring points nearest to the template: least squares (Umeyama 1991), which
 * in a plane is one complex number. x' = a·x − b·y + c and y' = b·x + a·y + d.
 * @param {Point[]} points
 * @returns {{a: number, b: number, c: number, d: number} | null} null where all points coincide
 */
export function similarity(points) {
  const [x, y] = mean(points);
  const [goalX, goalY] = mean(TEMPLATE);
  let [along, across, spread] = [0, 0, 0];
  points.forEach((point, i) => {
    const [px, py, qx, qy] = [point[0] - x, point[1] - y, TEMPLATE[i][0] - goalX, TEMPLATE[i][1] - goalY];
    along += px * qx + py * qy;
    across += px * qy - py * qx;
    spread += px * px + py * py;
  });
  if (!(spread > 1e-12)) return null;
  const [a, b] = [along / spread, across / spread];
  return { a, b, c: goalX - a * x + b * y, d: goalY - b * x - a * y };
}

/**
 * Degrees by which a face is tilted clockwise, from −180 to 180.
 * @param {Point[]} landmarks
 */
export function rollOf(landmarks) {
  const forward = similarity(landmarks);
  return forward ? (Math.atan2(-forward.b, forward.a) * 180) / Math.PI : 0;
}

/**
 * The face as recognition networks expect it; black outside the picture.
 * @param {Picture} picture
 * @param {Point[]} landmarks
 * @returns {Picture | null} null where the landmarks coincide
 */
export function align(picture, landmarks) {
  const forward = similarity(landmarks);
  if (!forward) return null;
  const size = forward.a ** 2 + forward.b ** 2;
  if (!(size > 0)) return null;
  let [cos, sin] = [forward.a / size, forward.b / size]; // the inverse: x = cos·x' + sin·y' + …, y = −sin·x' + cos·y' + …
  // warp counts from the corner of the first pixel, landmarks from its centre
  let shiftX = cos * (-0.5 - forward.c) + sin * (-0.5 - forward.d) + 0.5;
  let shiftY = -sin * (-0.5 - forward.c) + cos * (-0.5 - forward.d) + 0.5;
  const block = Math.trunc(Math.sqrt(cos * cos + sin * sin));
  if (block >= 2) {
    const corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) => [
      (cos * x + sin * y) * CROP + shiftX,
      (-sin * x + cos * y) * CROP + shiftY,
    ]);
    const inside = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, 0), most);
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    const left = inside(Math.floor(Math.min(...xs)) - 2 * block, picture.width);
    const top = inside(Math.floor(Math.min(...ys)) - 2 * block, picture.height);
    const right = inside(Math.ceil(Math.max(...xs)) + 2 * block, picture.width);
    const bottom = inside(Math.ceil(Math.max(...ys)) + 2 * block, picture.height);
    if (right <= left || bottom <= top) return blank(CROP, CROP);
    picture = reduce(picture, block, block, [left, top, right, bottom]);
    [cos, sin] = [cos / block, sin / block];
    [shiftX, shiftY] = [(shiftX - left) / block, (shiftY - top) / block];
  }
  return warp(picture, CROP, [cos, sin, shiftX, -sin, cos, shiftY]);
}

/**
 * @param {Point[]} points
 * @returns {Point}
 */
export function mean(points) {
  const [x, y] = points.reduce(([sumX, sumY], [px, py]) => [sumX + px, sumY + py], [0, 0]);
  return [x / points.length, y / points.length];
}
