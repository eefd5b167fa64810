// @ts-check
// A photo in → what the server says of it out: for devices too weak to compute it here.

import { without } from "../engine/pipeline.js";
import { adviceCode, t } from "./strings.js";

/** @typedef {import("../engine/pipeline.js").Quality} Quality */
/** @typedef {import("../engine/picture.js").Picture} Picture */
/** @typedef {{api: string | null, key?: boolean}} Server what the page knows of the server that it came from */

/** @returns {Promise<Server>} */
export async function findServer() {
  return (await fetch(new URL("../../server.json", import.meta.url))).json();
}

/**
 * @param {string} api
 * @param {Blob} file
 * @param {string} key of the server; empty if it wants none
 * @param {(file: Blob, landmarks: import("../engine/mtcnn.js").Point[] | null) => Promise<Picture | null>} cut
 * @returns {Promise<Quality>}
 */
export async function judgeThere(api, file, key, cut) {
  const address = new URL(`../../${api}score?reasons=true&maps=true`, import.meta.url);
  const headers = { "content-type": "application/octet-stream", ...(key ? { "x-api-key": key } : {}) };
  let answer;
  try {
    const response = await fetch(address, { method: "POST", body: file, headers });
    answer = await response.json();
  } catch {
    return without("failed", t("server.away"));
  }
  if (answer.error) return without("failed", t("server.refused", { message: answer.error.message }));
  const [found] = answer.results;
  const reasons = (found.reasons ?? []).map((/** @type {any} */ reason) => ({
    ...reason,
    advice: adviceCode(reason.code, reason.advice),
  }));
  if (found.score === null) return without(found.status, found.reason, reasons);
  const measures = Object.entries(found.measures ?? {}).map(([name, { value }]) => [name, value]);
  return {
    status: found.status,
    score: found.score,
    raw: found.raw[found.scored_by],
    face: found.face,
    reasons,
    measures: Object.fromEntries(measures),
    map: found.maps?.attn?.flat() ?? null,
    crop: await cut(file, found.face?.landmarks ?? null).catch(() => null),
    said: "",
  };
}
