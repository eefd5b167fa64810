// @ts-check
// Boxes in → boxes out: what the detector does between its networks.

/** @typedef {import("./resampling.js").Box} Box */

/**
 * @param {Box} box
 * @returns {number}
 */
export function area([left, top, right, bottom]) {
  return (right - left) * (bottom - top);
}

/**
 * @param {Box} one
 * @param {Box} other
 * @returns {number} the area that two boxes share
 */
export function shared(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  return Math.max(0, width) * Math.max(0, height);
}

/**
 * Greedy non-maximum suppression.
 * @param {Box[]} boxes
 * @param {number[]} scores
 * @param {number} limit most overlap with a better box, as a share of their union
 * @param {boolean} [ofSmaller] or of the smaller of the two
 * @returns {number[]} the indices that stay, best first
 */
export function suppress(boxes, scores, limit, ofSmaller = false) {
  const areas = boxes.map(area);
  let rest = scores.map((_, i) => i).sort((i, j) => scores[j] - scores[i]);
  const kept = [];
  while (rest.length) {
    const [best, ...others] = rest;
    kept.push(best);
    rest = others.filter((i) => {
      const common = shared(boxes[best], boxes[i]);
      const whole = ofSmaller ? Math.min(areas[best], areas[i]) : areas[best] + areas[i] - common;
      return common <= limit * whole;
    });
  }
  return kept;
}

/**
 * @param {Box} box
 * @returns {Box} the square with the same centre and the longer side
 */
export function square([left, top, right, bottom]) {
  const half = Math.max(right - left, bottom - top) / 2;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [x - half, y - half, x + half, y + half];
}

/**
 * A box whose corners are moved, in units of its sides.
 * @param {Box} box
 * @param {ArrayLike<number>} offsets
 * @param {number} at where the four offsets begin
 * @param {number} step and how far they are apart
 * @returns {Box}
 */
export function moved([left, top, right, bottom], offsets, at, step) {
  const [width, height] = [right - left, bottom - top];
  return [
    left + offsets[at] * width,
    top + offsets[at + step] * height,
    right + offsets[at + 2 * step] * width,
    bottom + offsets[at + 3 * step] * height,
  ];
}
