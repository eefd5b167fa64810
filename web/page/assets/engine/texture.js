// @ts-check
// A crop in → how blurred, noisy, compressed or blank it is: src/fiqa/reasons/texture.py, which has the sources.

import { CROP } from "./alignment.js";

/** @typedef {import("./picture.js").Picture} Picture */

const GRID = 8; // pixels a side of a JPEG block
const FLAT = 2; // grey levels within 3×3 pixels, in each channel, of a place without structure
const WINDOW = 5; // of the second blur

/**
 * @param {Picture} crop 112×112
 * @param {Float32Array} luma its luma, 0 to 255
 * @returns {Record<string, number>}
 */
export function measureTexture(crop, luma) {
  return {
    block_steps: blockSteps(luma),
    blank_area: blankArea(crop),
    noise: noise(luma),
    blur: blur(luma),
  };
}

/** How little a second blur takes away, from 0 (sharp) to 1. @param {Float32Array} luma */
export function blur(luma) {
  const side = CROP / 2;
  const small = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = 2 * y * CROP + 2 * x;
      small[y * side + x] = (luma[at] + luma[at + CROP] + luma[at + 1] + luma[at + CROP + 1]) / 4;
    }
  }
  return Math.max(lostTwice(small, side, side, 1), lostTwice(small, side, 1, side));
}

/**
 * @param {Float32Array} luma
 * @param {number} side
 * @param {number} down from one pixel to the next along the axis
 * @param {number} across and to the next line
 */
function lostTwice(luma, side, down, across) {
  const half = WINDOW >> 1;
  let [steps, kept] = [0, 0];
  for (let line = 0; line < side; line++) {
    const at = (/** @type {number} */ i) => luma[line * across + i * down];
    for (let i = half; i + half + 1 < side; i++) {
      const before = Math.abs(at(i + 1) - at(i));
      const after = Math.abs(at(i + half + 1) - at(i - half)) / WINDOW;
      steps += before;
      kept += Math.max(before - after, 0);
    }
  }
  return steps === 0 ? 1 : 1 - kept / steps;
}

/** Standard deviation of the noise, in grey levels. @param {Float32Array} luma */
export function noise(luma) {
  const side = CROP - 2;
  const both = new Float32Array(side * side);
  const down = (/** @type {number} */ at) => luma[at] - 2 * luma[at + CROP] + luma[at + 2 * CROP];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = y * CROP + x;
      both[y * side + x] = Math.abs(down(at) - 2 * down(at + 1) + down(at + 2));
    }
  }
  return both.sort()[both.length >> 1] / (6 * 0.6745);
}

/** Mean step across the crop's own 8-pixel grid ÷ mean step elsewhere. @param {Float32Array} luma */
export function blockSteps(luma) {
  let [on, off] = [0, 0];
  for (const [along, across] of [[1, CROP], [CROP, 1]]) {
    let [edges, others, nEdges, nOthers] = [0, 0, 0, 0];
    for (let i = 0; i < CROP - 1; i++) {
      let sum = 0;
      for (let line = 0; line < CROP; line++) {
        sum += Math.abs(luma[line * across + (i + 1) * along] - luma[line * across + i * along]);
      }
      if (i % GRID === GRID - 1) [edges, nEdges] = [edges + sum / CROP, nEdges + 1];
      else [others, nOthers] = [others + sum / CROP, nOthers + 1];
    }
    on += edges / nEdges;
    off += others / nOthers;
  }
  return off > 0.01 ? on / off : 1;
}

/** Share of a crop that its largest connected place without structure has. @param {Picture} crop */
export function blankArea(crop) {
  const side = CROP - 2;
  const flat = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) flat[y * side + x] = isFlat(crop.data, (y * CROP + x) * 3) ? 1 : 0;
  }
  return largestArea(flat, side) / flat.length;
}

/**
 * @param {Uint8Array} data
 * @param {number} at the upper left of 3×3 pixels
 */
function isFlat(data, at) {
  for (let c = 0; c < 3; c++) {
    let [low, high] = [255, 0];
    for (let y = 0; y < 3; y++) {
      for (let x = 0; x < 3; x++) {
        const value = data[at + (y * CROP + x) * 3 + c];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (high - low > FLAT) return false;
  }
  return true;
}

/**
 * Pixels of the largest part of a square mask that hangs together over sides; the mask is used up.
 * @param {Uint8Array} inside
 * @param {number} side
 */
export function largestArea(inside, side) {
  let largest = 0;
  for (let seed = 0; seed < inside.length; seed++) {
    if (!inside[seed]) continue;
    const waiting = [seed];
    inside[seed] = 0;
    let size = 0;
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      size++;
      const x = at % side;
      const neighbours = [at - side, at + side, x > 0 ? at - 1 : -1, x < side - 1 ? at + 1 : -1];
      for (const next of neighbours) {
        if (next >= 0 && next < inside.length && inside[next]) {
          inside[next] = 0;
          waiting.push(next);
        }
      }
    }
    largest = Math.max(largest, size);
  }
  return largest;
}

/**
 * How much more of the structure one direction has than another, as log10 of their power.
 * @param {Float32Array} luma
 */
export function direction(luma) {
  const mean = luma.reduce((sum, value) => sum + value, 0) / luma.length;
  const hann = Float64Array.from({ length: CROP }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (CROP - 1)));
  const columns = CROP / 2 + 1;
  const cosine = Float64Array.from({ length: CROP }, (_, i) => Math.cos((2 * Math.PI * i) / CROP));
  const sine = Float64Array.from({ length: CROP }, (_, i) => Math.sin((2 * Math.PI * i) / CROP));
  // rows first: a plain transform of 112 numbers is quick enough for what is asked of a blurred crop only
  const real = new Float64Array(CROP * columns);
  const imaginary = new Float64Array(CROP * columns);
  for (let y = 0; y < CROP; y++) {
    for (let u = 0; u < columns; u++) {
      let [re, im] = [0, 0];
      for (let x = 0, turn = 0; x < CROP; x++, turn = (turn + u) % CROP) {
        const value = (luma[y * CROP + x] - mean) * hann[y] * hann[x];
        re += value * cosine[turn];
        im -= value * sine[turn];
      }
      real[y * columns + u] = re;
      imaginary[y * columns + u] = im;
    }
  }
  const sums = new Float64Array(8);
  for (let v = 0; v < CROP; v++) {
    const down = (v < CROP / 2 ? v : v - CROP) / CROP;
    for (let u = 0; u < columns; u++) {
      const across = u / CROP; // the last is the negative half cycle in NumPy's order, beyond the band anyway
      const radius = Math.hypot(down, across);
      if (radius < 0.08 || radius > 0.3) continue;
      let [re, im] = [0, 0];
      for (let y = 0, turn = 0; y < CROP; y++, turn = (turn + v) % CROP) {
        const [a, b] = [real[y * columns + u], imaginary[y * columns + u]];
        re += a * cosine[turn] + b * sine[turn];
        im += b * cosine[turn] - a * sine[turn];
      }
      const sector = Math.trunc(((Math.atan2(down, across) + Math.PI / 2) / Math.PI) * 8) % 8;
      sums[sector] += re * re + im * im;
    }
  }
  return Math.log10((Math.max(...sums) + 1) / (Math.min(...sums) + 1));
}
