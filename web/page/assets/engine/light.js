// @ts-check
// A crop in → how its face is lit: those measures of src/fiqa/reasons/light.py that reasons are drawn from.

import { CROP } from "./alignment.js";

/** @typedef {import("./picture.js").Picture} Picture */

const WHITE = 250;
const SIDES = [30, 58]; // the first columns of two rectangles, 25 wide, rows 56 to 94
const LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const code = i / 255;
  return code <= 0.04045 ? code / 12.92 : ((code + 0.055) / 1.055) ** 2.4;
});

/** Indices of the face's pixels: an ellipse without the forehead. */
const FACE = Array.from({ length: CROP * CROP }, (_, i) => i).filter((i) => {
  const [x, y] = [i % CROP, Math.floor(i / CROP)];
  return y >= 40 && ((x - 56) / 34) ** 2 + ((y - 74) / 40) ** 2 <= 1;
});

/**
 * Luma, 0 to 255, of each pixel.
 * @param {Picture} crop
 */
export function lumaOf({ data }) {
  return Float32Array.from({ length: data.length / 3 }, (_, i) => {
    return 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2];
  });
}

/**
 * @param {Picture} crop 112×112
 * @param {Float32Array} luma
 * @returns {Record<string, number>}
 */
export function measureLight({ data }, luma) {
  const burnt = FACE.filter((i) => Math.min(data[3 * i], data[3 * i + 1], data[3 * i + 2]) >= WHITE).length;
  const ordered = Float32Array.from(FACE, (i) => luma[i]).sort();
  const [p5, p95, p99] = [0.05, 0.95, 0.99].map((share) => ordered[Math.round(share * (ordered.length - 1))]);
  const [left, right] = SIDES.map((column) => brightness(data, column) + 1e-4);
  return {
    highlights: burnt / FACE.length,
    brightest: p99,
    contrast: p95 + p5 ? (p95 - p5) / (p95 + p5) : 0,
    side_ratio: Math.log2(left / right),
  };
}

/**
 * Mean linear light of a side of the face.
 * @param {Uint8Array} data
 * @param {number} column
 */
function brightness(data, column) {
  let sum = 0;
  for (let y = 56; y < 95; y++) {
    for (let x = column; x < column + 25; x++) {
      const at = (y * CROP + x) * 3;
      sum += 0.2126 * LINEAR[data[at]] + 0.7152 * LINEAR[data[at + 1]] + 0.0722 * LINEAR[data[at + 2]];
    }
  }
  return sum / (39 * 25);
}
