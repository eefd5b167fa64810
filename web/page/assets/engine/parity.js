// @ts-check
// The same network on two processors → whether they say the same; graphics drivers differ, the number must not.

import { CROP } from "./alignment.js";
import { blank } from "./picture.js";

/** @typedef {import("./networks.js").Networks} Networks */

const MOST = 0.005; // of the raw score: half a point where the scale is steepest

/**
 * Throws where the two differ on pictures that stir every part of the network.
 * @param {Networks} one
 * @param {Networks} other
 */
export async function check(one, other) {
  for (const picture of [noise(), blobs()]) {
    const [mine, its] = [await one.judge(picture), await other.judge(picture)];
    const away = Math.abs(mine.raw - its.raw);
    if (!(away <= MOST)) throw new Error(`the graphics processor gives another number, by ${away}`);
  }
}

function noise() {
  const picture = blank(CROP, CROP);
  let seed = 1;
  for (let i = 0; i < picture.data.length; i++) picture.data[i] = (seed = (seed * 48271) % 2147483647) & 255;
  return picture;
}

/** Smooth light and dark, as far from noise as a picture can be that is not of one colour. */
function blobs() {
  const picture = blank(CROP, CROP);
  picture.data.forEach((_, i) => {
    const [x, y] = [Math.floor(i / 3) % CROP, Math.floor(i / 3 / CROP)];
    picture.data[i] = 128 + 100 * Math.sin(x / (5 + (i % 3))) * Math.cos(y / 9);
  });
  return picture;
}
