// @ts-check
// A photo's facts, a face and its crop in → reasons out, by the rules that the build took from src/fiqa/reasons.

import { measureHead } from "./geometry.js";
import { lumaOf, measureLight } from "./light.js";
import { direction, measureTexture } from "./texture.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./mtcnn.js").Face} Face */
/** @typedef {import("./geometry.js").Photo} Photo */

/**
 * @typedef {object} Rule one measure with its limit
 * @property {string} code
 * @property {string} measure
 * @property {"most" | "least"} bound whether the limit is the most or the least that is well
 * @property {number} limit
 * @property {string} unit
 */

/**
 * @typedef {object} Rules as tools/make_page.py writes them
 * @property {Rule[]} rules in the order in which reasons stand
 * @property {Record<string, string[]>} follows code → what follows from it and is no reason of its own
 * @property {number} directed blur of more than this has a direction
 * @property {number} unexplained a score below this, for which nothing measured is a cause, is a reason too
 * @property {string[]} exposure the codes of light and contrast
 */

/**
 * @typedef {object} Reason why a face may be less useful than it could be
 * @property {string} code
 * @property {string} advice what to say: the code, or "motion" for a blur that has a direction
 * @property {number | null} value
 * @property {number | null} limit
 * @property {string} unit
 */

/**
 * Measures of a crop and the face that it was cut around, and the limits that they miss.
 * @param {Rules} rules
 * @param {Picture} crop
 * @param {{photo: Photo, face: Face} | null} from null: the input was a crop, so that pose and size give no reason
 * @returns {{reasons: Reason[], measures: Record<string, number>}}
 */
export function diagnose(rules, crop, from) {
  const luma = lumaOf(crop);
  const measures = { ...measureLight(crop, luma), ...measureTexture(crop, luma) };
  if (from) {
    Object.assign(measures, measureHead(from.photo, from.face));
    if (from.photo.jpegQuality !== null) measures.jpeg_quality = from.photo.jpegQuality;
  }
  const reasons = missed(rules, measures);
  const blurred = reasons.find((reason) => reason.code === "sharpness");
  if (blurred) {
    measures.direction = direction(luma);
    if (measures.direction > rules.directed) blurred.advice = "motion";
  }
  return { reasons, measures };
}

/**
 * Reasons for the limits that are missed, in their order.
 * @param {Rules} rules
 * @param {Record<string, number>} measures
 * @returns {Reason[]}
 */
export function missed(rules, measures) {
  /** @type {Map<string, Reason>} */
  const found = new Map();
  for (const { code, measure, bound, limit, unit } of rules.rules) {
    const value = measures[measure];
    if (value === undefined || found.has(code)) continue;
    if (bound === "most" ? Math.abs(value) > limit : value < limit) {
      found.set(code, { code, advice: code, value, limit, unit });
    }
  }
  const follows = new Set([...found.keys()].flatMap((code) => rules.follows[code] ?? []));
  return [...found.values()].filter(({ code }) => !follows.has(code));
}

/**
 * What to say of a low score for which nothing measured is a cause.
 * @param {Rules} rules
 * @param {number} score
 * @returns {Reason[]}
 */
export function unexplained(rules, score) {
  if (score >= rules.unexplained) return [];
  return [{ code: "unexplained", advice: "unexplained", value: score, limit: rules.unexplained, unit: "score of 100" }];
}

/** @type {Reason} what to say of a photo in which no face was found */
export const NO_FACE = { code: "no_face", advice: "no_face", value: null, limit: null, unit: "" };
