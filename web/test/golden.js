// @ts-check
// What Python and Pillow say, read from the file that tools/page_golden.py wrote.

import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

/** @typedef {{width: number, height: number, data: string}} Packed */

export const golden = JSON.parse(
  readFileSync(new URL("../../tests/fixtures/page.json", import.meta.url), "utf-8"),
);

/**
 * @param {Packed} packed
 * @returns {import("../page/assets/engine/picture.js").Picture}
 */
export function unpack({ width, height, data }) {
  return { width, height, data: new Uint8Array(inflateSync(Buffer.from(data, "base64"))) };
}
