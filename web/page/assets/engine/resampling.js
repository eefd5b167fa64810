// @ts-check
// Pictures resized, reduced and warped bit for bit as Pillow does it, since the networks see its pixels elsewhere.

import { blank, cut } from "./picture.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {[left: number, top: number, right: number, bottom: number]} Box in pixels from the top left corner */

const PRECISION = 22; // bits behind the point of a weight: Pillow's own, so that rounding falls alike

/**
 * A picture, or a box of it, at another size, with Pillow's bilinear filter, which averages where it shrinks.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @param {Box} [box]
 * @param {number} [gap] first average whole blocks as long as this many times the size is left: faster
 * @returns {Picture}
 */
export function resize(picture, width, height, box = [0, 0, picture.width, picture.height], gap) {
  if (gap !== undefined) {
    const factorX = Math.trunc((box[2] - box[0]) / width / gap) || 1;
    const factorY = Math.trunc((box[3] - box[1]) / height / gap) || 1;
    if (factorX > 1 || factorY > 1) {
      const safe = safeBox(picture, width, height, box);
      picture = reduce(picture, factorX, factorY, safe);
      box = [
        (box[0] - safe[0]) / factorX, (box[1] - safe[1]) / factorY,
        (box[2] - safe[0]) / factorX, (box[3] - safe[1]) / factorY,
      ];
    }
  }
  box = /** @type {Box} */ (box.map(Math.fround)); // Pillow's boxes have single precision
  if (width !== picture.width || box[0] !== 0 || box[2] !== width) {
    picture = acrossRows(picture, width, weigh(picture.width, box[0], box[2], width));
  }
  if (height !== picture.height || box[1] !== 0 || box[3] !== height) {
    picture = downColumns(picture, height, weigh(picture.height, box[1], box[3], height));
  }
  return picture;
}

/**
 * What a filter reads for a box.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @param {Box} box
 * @returns {Box} whole numbers
 */
function safeBox(picture, width, height, [left, top, right, bottom]) {
  const [beyondX, beyondY] = [(right - left) / width, (bottom - top) / height];
  return [
    Math.max(0, Math.trunc(left - beyondX)),
    Math.max(0, Math.trunc(top - beyondY)),
    Math.min(picture.width, Math.ceil(right + beyondX)),
    Math.min(picture.height, Math.ceil(bottom + beyondY)),
  ];
}

/**
 * @typedef {object} Weights of one axis
 * @property {Int32Array} first the first pixel that each output pixel reads
 * @property {Int32Array} count how many it reads
 * @property {Int32Array} values their weights, `stride` apart
 * @property {number} stride
 */

/**
 * @param {number} size of the input
 * @param {number} begin of the box
 * @param {number} end of the box
 * @param {number} outSize
 * @returns {Weights}
 */
function weigh(size, begin, end, outSize) {
  const scale = Math.fround(end - begin) / outSize;
  const reach = Math.max(scale, 1);
  const stride = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const values = new Int32Array(outSize * stride);
  const raw = new Float64Array(stride);
  for (let out = 0; out < outSize; out++) {
    const centre = begin + (out + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - reach + 0.5));
    const to = Math.min(size, Math.trunc(centre + reach + 0.5));
    let total = 0;
    for (let i = 0; i < to - from; i++) {
      const distance = Math.abs((i + from - centre + 0.5) * (1 / reach));
      raw[i] = distance < 1 ? 1 - distance : 0;
      total += raw[i];
    }
    for (let i = 0; i < to - from; i++) {
      const weight = total === 0 ? raw[i] : raw[i] * (1 / total);
      values[out * stride + i] = Math.trunc(0.5 + weight * (1 << PRECISION));
    }
    first[out] = from;
    count[out] = to - from;
  }
  return { first, count, values, stride };
}

/**
 * @param {Picture} picture
 * @param {number} width
 * @param {Weights} weights
 * @returns {Picture}
 */
function acrossRows(picture, width, { first, count, values, stride }) {
  const out = blank(width, picture.height);
  for (let y = 0, to = 0; y < picture.height; y++) {
    const row = y * picture.width * 3;
    for (let x = 0; x < width; x++, to += 3) {
      let from = row + first[x] * 3;
      let [r, g, b] = [1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)];
      const weight = x * stride;
      for (let i = 0; i < count[x]; i++, from += 3) {
        const w = values[weight + i];
        r += picture.data[from] * w;
        g += picture.data[from + 1] * w;
        b += picture.data[from + 2] * w;
      }
      out.data[to] = r >> PRECISION;
      out.data[to + 1] = g >> PRECISION;
      out.data[to + 2] = b >> PRECISION;
    }
  }
  return out;
}

/**
 * @param {Picture} picture
 * @param {number} height
 * @param {Weights} weights
 * @returns {Picture}
 */
function downColumns(picture, height, { first, count, values, stride }) {
  const out = blank(picture.width, height);
  const row = picture.width * 3;
  const sums = new Int32Array(row);
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (PRECISION - 1));
    for (let i = 0; i < count[y]; i++) {
      const w = values[y * stride + i];
      const from = (first[y] + i) * row;
      for (let x = 0; x < row; x++) sums[x] += picture.data[from + x] * w;
    }
    for (let x = 0, to = y * row; x < row; x++, to++) out.data[to] = sums[x] >> PRECISION;
  }
  return out;
}

/**
 * Whole blocks of a picture averaged, in whole numbers; those at the right and lower edge may be smaller.
 * @param {Picture} picture
 * @param {number} factorX
 * @param {number} factorY
 * @param {Box} [box] whole numbers
 * @returns {Picture}
 */
export function reduce(picture, factorX, factorY, [left, top, right, bottom] = [0, 0, picture.width, picture.height]) {
  const out = blank(Math.ceil((right - left) / factorX), Math.ceil((bottom - top) / factorY));
  const row = picture.width * 3;
  for (let y = 0, to = 0; y < out.height; y++) {
    const y0 = top + y * factorY;
    const y1 = Math.min(y0 + factorY, bottom);
    for (let x = 0; x < out.width; x++, to += 3) {
      const x0 = left + x * factorX;
      const x1 = Math.min(x0 + factorX, right);
      const area = (x1 - x0) * (y1 - y0);
      const multiplier = Math.floor(2 ** 32 / (256 * area));
      let [r, g, b] = [area >> 1, area >> 1, area >> 1];
      for (let fromY = y0; fromY < y1; fromY++) {
        for (let from = fromY * row + x0 * 3; from < fromY * row + x1 * 3; from += 3) {
          r += picture.data[from];
          g += picture.data[from + 1];
          b += picture.data[from + 2];
        }
      }
      out.data[to] = (r * multiplier) / 2 ** 24;
      out.data[to + 1] = (g * multiplier) / 2 ** 24;
      out.data[to + 2] = (b * multiplier) / 2 ** 24;
    }
  }
  return out;
}

/**
 * The picture inside each of the boxes, at one size; black beyond its edges.
 * @param {Picture} picture
 * @param {Box[]} boxes
 * @param {number} side
 * @returns {Picture[]}
 */
export function patches(picture, boxes, side) {
  return boxes.map(([left, top, right, bottom]) => {
    // an offset turned the box inside out: a black patch is no face
    if (right - left < 1 || bottom - top < 1) return blank(side, side);
    const [x, y] = [Math.floor(left), Math.floor(top)];
    const inside = cut(picture, x, y, Math.ceil(right), Math.ceil(bottom));
    return resize(inside, side, side, [left - x, top - y, right - x, bottom - y], 3);
  });
}

/**
 * Where each output pixel is found: x' = a·x + b·y + c, y' = d·x + e·y + f, from the corner of the first pixel.
 * @typedef {[a: number, b: number, c: number, d: number, e: number, f: number]} Affine
 */

/**
 * A square picture whose pixels are read, between pixels too, where an affine map says; black outside.
 * @param {Picture} picture
 * @param {number} side
 * @param {Affine} affine
 * @returns {Picture}
 */
export function warp(picture, side, [a, b, c, d, e, f]) {
  const out = blank(side, side);
  const { width, height, data } = picture;
  for (let y = 0, to = 0; y < side; y++) {
    for (let x = 0; x < side; x++, to += 3) {
      const atX = a * (x + 0.5) + b * (y + 0.5) + c;
      const atY = d * (x + 0.5) + e * (y + 0.5) + f;
      if (atX < 0 || atX >= width || atY < 0 || atY >= height) continue;
      const left = Math.floor(atX - 0.5);
      const top = Math.floor(atY - 0.5);
      const [shareX, shareY] = [atX - 0.5 - left, atY - 0.5 - top];
      const x0 = Math.max(left, 0) * 3;
      const x1 = Math.min(left + 1, width - 1) * 3;
      const y0 = Math.max(top, 0) * width * 3;
      const y1 = Math.min(top + 1, height - 1) * width * 3;
      for (let i = 0; i < 3; i++) {
        const upper = data[y0 + x0 + i] + (data[y0 + x1 + i] - data[y0 + x0 + i]) * shareX;
        const lower = data[y1 + x0 + i] + (data[y1 + x1 + i] - data[y1 + x0 + i]) * shareX;
        out.data[to + i] = upper + (lower - upper) * shareY;
      }
    }
  }
  return out;
}

/**
 * A picture turned counter-clockwise about its middle, within its frame, with Pillow's bicubic filter.
 * @param {Picture} picture
 * @param {number} degrees
 * @returns {Picture}
 */
export function rotate(picture, degrees) {
  const { width, height, data } = picture;
  const out = blank(width, height);
  const angle = (-(((degrees % 360) + 360) % 360) * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)].map((value) => Number(value.toFixed(15)));
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const [fromX, fromY] = [x + 0.5 - width / 2, y + 0.5 - height / 2];
      const atX = cos * fromX + sin * fromY + width / 2;
      const atY = -sin * fromX + cos * fromY + height / 2;
      if (atX < 0 || atX >= width || atY < 0 || atY >= height) continue;
      const [left, top] = [Math.floor(atX - 0.5), Math.floor(atY - 0.5)];
      const [shareX, shareY] = [atX - 0.5 - left, atY - 0.5 - top];
      for (let i = 0; i < 3; i++) {
        const rows = [-1, 0, 1, 2].map((dy) => {
          const row = Math.min(Math.max(top + dy, 0), height - 1) * width;
          const [a, b, c, d] = [-1, 0, 1, 2].map(
            (dx) => data[(row + Math.min(Math.max(left + dx, 0), width - 1)) * 3 + i],
          );
          return cubic(a, b, c, d, shareX);
        });
        const value = cubic(rows[0], rows[1], rows[2], rows[3], shareY);
        out.data[to + i] = Math.min(Math.max(value, 0), 255);
      }
    }
  }
  return out;
}

/**
 * Between b and c, with slopes from their neighbours.
 * @param {number} a
 * @param {number} b
 * @param {number} c
 * @param {number} d
 * @param {number} share
 */
function cubic(a, b, c, d, share) {
  return b + share * (c - a + share * (2 * (a - b) + c - d + share * (b - a - c + d)));
}
