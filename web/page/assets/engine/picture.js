// @ts-check
// What a canvas holds in → upright RGB pixels out, as every other part of the engine takes them.

/**
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array} data (height × width × 3), RGB, row by row
 */

/**
 * A black picture.
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
export function blank(width, height) {
  return { width, height, data: new Uint8Array(width * height * 3) };
}

/**
 * The picture in RGBA pixels, whose alpha plays no part.
 * @param {number} width
 * @param {number} height
 * @param {Uint8ClampedArray | Uint8Array} rgba
 * @returns {Picture}
 */
export function fromRgba(width, height, rgba) {
  const picture = blank(width, height);
  const { data } = picture;
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return picture;
}

/**
 * A rectangle of a picture; black where it reaches beyond the edges.
 * @param {Picture} picture
 * @param {number} left
 * @param {number} top
 * @param {number} right
 * @param {number} bottom whole numbers
 * @returns {Picture}
 */
export function cut(picture, left, top, right, bottom) {
  const out = blank(right - left, bottom - top);
  const [x0, x1] = [Math.max(left, 0), Math.min(right, picture.width)];
  if (x1 <= x0) return out;
  for (let y = Math.max(top, 0); y < Math.min(bottom, picture.height); y++) {
    const row = picture.data.subarray((y * picture.width + x0) * 3, (y * picture.width + x1) * 3);
    out.data.set(row, ((y - top) * out.width + x0 - left) * 3);
  }
  return out;
}

/**
 * A square picture turned counter-clockwise by a number of quarters.
 * @param {Picture} picture
 * @param {number} quarters
 * @returns {Picture}
 */
export function turned(picture, quarters) {
  const side = picture.width;
  const out = blank(side, side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let [fromX, fromY] = [x, y];
      for (let i = 0; i < quarters; i++) [fromX, fromY] = [side - 1 - fromY, fromX];
      for (let c = 0; c < 3; c++) out.data[(y * side + x) * 3 + c] = picture.data[(fromY * side + fromX) * 3 + c];
    }
  }
  return out;
}
