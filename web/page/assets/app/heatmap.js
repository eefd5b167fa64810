// @ts-check
// A crop and its map in → the face in grey, tinted from blue (counts less) to orange (counts more), out.
// The colours are those of src/fiqa/pages/palette.py: the photo keeps its lightness, the map has only the hue.

/** @typedef {import("../engine/picture.js").Picture} Picture */

const LOW = [-0.0352, -0.1362]; // OKLab's a and b
const HIGH = [0.0842, 0.1384];
const LIGHTNESS = 0.7;
const OPACITY = 0.6;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Picture} crop
 * @param {number[] | null} map row by row, a square; null: the photo itself
 */
export function draw(canvas, crop, map) {
  canvas.width = crop.width;
  canvas.height = crop.height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(crop.width, crop.height);
  const shade = map ? tint(map, crop.width, crop.height) : null;
  for (let i = 0; i < crop.width * crop.height; i++) {
    const rgb = [crop.data[3 * i], crop.data[3 * i + 1], crop.data[3 * i + 2]];
    image.data.set([...(shade ? shade(rgb, i) : rgb), 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

/**
 * @param {number[]} map
 * @param {number} width
 * @param {number} height
 * @returns {(rgb: number[], i: number) => number[]}
 */
function tint(map, width, height) {
  const side = Math.round(Math.sqrt(map.length));
  const [low, high] = [Math.min(...map), Math.max(...map)];
  return (rgb, i) => {
    const row = Math.floor((Math.floor(i / width) * side) / height);
    const column = Math.floor(((i % width) * side) / width);
    const level = (2 * (map[row * side + column] - low)) / (high - low || 1) - 1;
    const [a, b] = level < 0 ? LOW.map((hue) => -level * hue) : HIGH.map((hue) => level * hue);
    return srgb((1 - OPACITY) * lightness(rgb) + OPACITY * LIGHTNESS, a, b);
  };
}

/** @param {number[]} rgb */
function lightness(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return (
    0.2104542553 * Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) +
    0.793617785 * Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) -
    0.0040720468 * Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  );
}

/**
 * @param {number} light
 * @param {number} a
 * @param {number} b
 */
function srgb(light, a, b) {
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((linear) => {
    const part = Math.min(1, Math.max(0, linear));
    return 255 * (part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055);
  });
}
