// @ts-check
// A raw score in → 0 to 100 out, by straight lines between the knots of the model's calibration.

/**
 * @typedef {object} Calibration
 * @property {number[]} raw knots, rising
 * @property {number[]} score 0 to 100 at each
 */

/**
 * @param {Calibration} calibration
 * @param {number} value
 * @returns {number} 0 to 100, higher = better
 */
export function calibrate({ raw, score }, value) {
  const last = raw.length - 1;
  if (value <= raw[0]) return score[0];
  if (value >= raw[last]) return score[last];
  let i = 0;
  while (raw[i + 1] < value) i++;
  return score[i] + ((value - raw[i]) / (raw[i + 1] - raw[i])) * (score[i + 1] - score[i]);
}
