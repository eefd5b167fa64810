// @ts-check
// Landmarks and the photo's size in → where the head is and how it is held: src/fiqa/reasons/geometry.py.

import { TEMPLATE, mean } from "./alignment.js";
import { sizeOf } from "./mtcnn.js";

/** @typedef {import("./mtcnn.js").Face} Face */
/** @typedef {import("./mtcnn.js").Point} Point */

const [CHIN_OF_MOUTH, CHIN_OF_EYES] = [1.77, 1.8]; // eyes to chin ÷ eyes to mouth, and ÷ distance of the eyes
const EYES_Y = mean(TEMPLATE.slice(0, 2))[1];
const NOSE = (TEMPLATE[2][1] - EYES_Y) / (mean(TEMPLATE.slice(3))[1] - EYES_Y);

/**
 * @typedef {object} Photo what must be known of a photo beside its pixels
 * @property {number} width
 * @property {number} height
 * @property {Face[]} faces every face that was found in it
 * @property {number | null} jpegQuality 1 to 100, from the file's tables
 * @property {number | null} roll degrees of the face's tilt that a second look gave
 */

/**
 * @param {Photo} photo
 * @param {Face} face
 * @returns {Record<string, number>}
 */
export function measureHead(photo, face) {
  const points = face.landmarks;
  const eyes = mean(points.slice(0, 2));
  const mouth = mean(points.slice(3));
  const between = Math.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1]);
  if (between === 0) return {};
  const down = Math.hypot(mouth[0] - eyes[0], mouth[1] - eyes[1]);
  const chin = Math.max(CHIN_OF_MOUTH * down, CHIN_OF_EYES * between);
  const xs = [points[0][0], points[1][0]];
  const rooms = [Math.min(...xs), photo.width - Math.max(...xs), eyes[1], photo.height - points[2][1]];
  const areas = photo.faces.map(sizeOf).sort((one, other) => other - one);
  return {
    eye_distance: between,
    ...(photo.roll === null ? {} : { roll: photo.roll }),
    ...turn(points, eyes, mouth, between),
    head_size: chin / photo.height,
    edge_distance: Math.min(...rooms) / between,
    ...(areas[0] ? { single_face: (areas[1] ?? 0) / areas[0] } : {}),
  };
}

/**
 * Indices of yaw and pitch: five points of one view give no degrees.
 * @param {Point[]} points
 * @param {Point} eyes
 * @param {Point} mouth
 * @param {number} between
 * @returns {Record<string, number>}
 */
function turn(points, eyes, mouth, between) {
  const [cos, sin] = [(points[1][0] - points[0][0]) / between, (points[1][1] - points[0][1]) / between];
  const level = (/** @type {Point} */ [x, y]) => {
    const [dx, dy] = [x - eyes[0], y - eyes[1]];
    return [(dx * cos + dy * sin) / between, (dy * cos - dx * sin) / between];
  };
  const [nose, lips] = [level(points[2]), level(mouth)];
  const length = Math.hypot(lips[0], lips[1]);
  if (length === 0) return {};
  const yaw = (nose[0] * lips[1] - nose[1] * lips[0]) / length;
  return lips[1] > 0 ? { yaw, pitch: nose[1] / lips[1] - NOSE } : { yaw };
}
