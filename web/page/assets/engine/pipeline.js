// @ts-check
// Pixels and what the file says → the quality of the largest face: fiqa.Scorer.score, in the browser.

import { CROP, align } from "./alignment.js";
import { NO_FACE, diagnose, unexplained } from "./diagnosis.js";
import { findFaces, rollAgain } from "./faces.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./mtcnn.js").Face} Face */
/** @typedef {import("./diagnosis.js").Reason} Reason */
/** @typedef {import("./networks.js").Networks} Networks */

/**
 * @typedef {object} Settings as tools/make_page.py writes them
 * @property {string} version of fiqa
 * @property {import("./networks.js").ModelSettings} model
 * @property {import("./mtcnn.js").DetectorSettings} detector
 * @property {import("./diagnosis.js").Rules} reasons
 * @property {number} maxPixels of an image
 */

/**
 * @typedef {"ok" | "no_face" | "unreadable" | "too_large" | "failed"} Status
 */

/**
 * @typedef {object} Quality
 * @property {Status} status
 * @property {number | null} score 0 to 100, higher = better; null unless ok
 * @property {number | null} raw the method's own number
 * @property {Face | null} face null for an image that was a crop, or without a face
 * @property {Reason[]} reasons the most likely cause first
 * @property {Record<string, number>} measures what the reasons were drawn from
 * @property {number[] | null} map row by row, higher = more useful
 * @property {Picture | null} crop the face as the network saw it
 * @property {string} said one sentence in English on what went wrong; empty if nothing did
 */

/**
 * A result without a score.
 * @param {Status} status
 * @param {string} said
 * @param {Reason[]} reasons
 * @returns {Quality}
 */
export function without(status, said = "", reasons = []) {
  return { status, score: null, raw: null, face: null, reasons, measures: {}, map: null, crop: null, said };
}

/**
 * The quality of the largest face. A picture of 112×112 pixels is taken for an aligned crop.
 * @param {Networks} networks
 * @param {Picture} picture
 * @param {Settings} settings
 * @param {number | null} jpegQuality
 * @returns {Promise<Quality>}
 */
export async function judge(networks, picture, settings, jpegQuality) {
  if (picture.width === CROP && picture.height === CROP) return finish(networks, picture, null, settings);
  const faces = await findFaces(networks.run, picture, settings.detector);
  if (!faces.length) return without("no_face", "no face was found", [NO_FACE]);
  const face = faces[0];
  const crop = align(picture, face.landmarks);
  if (!crop) return without("no_face", "the landmarks coincide, so no face can be aligned by them", [NO_FACE]);
  const { width, height } = picture;
  const roll = await rollAgain(networks.run, picture, face, settings.detector);
  return finish(networks, crop, { photo: { width, height, faces, jpegQuality, roll }, face }, settings);
}

/**
 * @param {Networks} networks
 * @param {Picture} crop
 * @param {Parameters<typeof diagnose>[2]} from
 * @param {Settings} settings
 * @returns {Promise<Quality>}
 */
async function finish(networks, crop, from, settings) {
  const judged = await networks.judge(crop);
  if (!Number.isFinite(judged.score)) return without("failed", "the network gives no finite number for this face");
  const { reasons, measures } = diagnose(settings.reasons, crop, from);
  return {
    status: "ok",
    ...judged,
    face: from && from.face,
    reasons: reasons.length ? reasons : unexplained(settings.reasons, judged.score),
    measures,
    crop,
    said: "",
  };
}
