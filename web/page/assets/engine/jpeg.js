// @ts-check
// The bytes of a file in → what its header says: its size in pixels, and the quality it was last saved with.

/**
 * The luminance table of ITU-T T.81, annex K, in zigzag order as files have it, which the IJG's encoder uses at
 * quality 50.
 */
const AT_50 = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51,
  61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77,
  113, 121, 112, 100, 120, 92, 101, 103, 99,
];

/**
 * @typedef {object} Header
 * @property {number | null} width of the picture as it is stored; null where the file does not say
 * @property {number | null} height
 * @property {number | null} jpegQuality 1 to 100; null for anything but a JPEG file
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Header}
 */
export function readHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length > 24 && view.getUint32(0) === 0x89504e47) {
    return { width: view.getUint32(16), height: view.getUint32(20), jpegQuality: null };
  }
  if (bytes.length > 4 && view.getUint16(0) === 0xffd8) return readJpeg(view);
  return { width: null, height: null, jpegQuality: null };
}

/**
 * @param {DataView} view
 * @returns {Header}
 */
function readJpeg(view) {
  /** @type {Header} */
  const header = { width: null, height: null, jpegQuality: null };
  for (let at = 2; at + 4 <= view.byteLength; ) {
    if (view.getUint8(at) !== 0xff) break;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++; // fill bytes may come before a marker
      continue;
    }
    if (marker === 0xda || marker === 0xd9) break; // the picture begins, or ends
    const end = at + 2 + view.getUint16(at + 2);
    if (end > view.byteLength || end <= at + 3) break;
    if (marker === 0xdb) header.jpegQuality = qualityOf(view, at + 4, end) ?? header.jpegQuality;
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame && at + 9 <= view.byteLength) {
      header.height = view.getUint16(at + 5);
      header.width = view.getUint16(at + 7);
    }
    at = end;
  }
  return header;
}

/**
 * The quality whose table is nearest to the file's first one.
 * @param {DataView} view
 * @param {number} at
 * @param {number} end
 * @returns {number | null}
 */
function qualityOf(view, at, end) {
  while (at < end) {
    const [wide, number] = [view.getUint8(at) >> 4, view.getUint8(at) & 15];
    const size = wide ? 128 : 64;
    if (at + 1 + size > end) return null;
    if (number === 0) {
      const table = AT_50.map((_, i) => (wide ? view.getUint16(at + 1 + 2 * i) : view.getUint8(at + 1 + i)));
      return nearestQuality(table);
    }
    at += 1 + size;
  }
  return null;
}

/** @param {number[]} table in zigzag order */
function nearestQuality(table) {
  let [nearest, least] = [1, Infinity];
  for (let quality = 1; quality <= 100; quality++) {
    const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
    const away = AT_50.reduce((sum, value, i) => {
      return sum + Math.abs(Math.min(255, Math.max(1, Math.floor((scale * value + 50) / 100))) - table[i]);
    }, 0);
    if (away < least) [nearest, least] = [quality, away];
  }
  return nearest;
}
