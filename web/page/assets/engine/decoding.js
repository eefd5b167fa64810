// @ts-check
// A file or a camera's frame in → upright RGB pixels out; nothing is sent anywhere.

import { readHeader } from "./jpeg.js";
import { fromRgba } from "./picture.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {{picture: Picture, jpegQuality: number | null}} Decoded */

/** What is wrong with a file, with the status that it gets. */
export class Unusable extends Error {
  /**
   * @param {"unreadable" | "too_large"} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {Blob} file
 * @param {number} maxPixels
 * @returns {Promise<Decoded>}
 */
export async function decode(file, maxPixels) {
  const header = readHeader(new Uint8Array(await file.arrayBuffer()));
  check(header.width ?? 0, header.height ?? 0, maxPixels);
  let bitmap;
  try {
    // numbers as they stand in the file, as everywhere else: a profile would change them
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new Unusable("unreadable", "this browser can't read the file as a picture");
  }
  try {
    check(bitmap.width, bitmap.height, maxPixels);
    return { picture: pixelsOf(bitmap), jpegQuality: header.jpegQuality };
  } finally {
    bitmap.close();
  }
}

/**
 * The pixels of a bitmap; transparent ones show white.
 * @param {ImageBitmap} bitmap
 * @returns {Picture}
 */
export function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Unusable("unreadable", "this browser gives no canvas to read pixels with");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  return fromRgba(width, height, context.getImageData(0, 0, width, height).data);
}

/**
 * @param {number} width
 * @param {number} height
 * @param {number} most
 */
function check(width, height, most) {
  if (width * height > most) {
    throw new Unusable("too_large", `an image may have at most ${most} pixels, but this one has ${width * height}`);
  }
}
