// @ts-check
// Photos in → a CSV table out, with the columns that `fiqa score` writes too.

/** @typedef {import("../engine/pipeline.js").Quality} Quality */

const COLUMNS = ["path", "face", "status", "score", "exit-depth", "reasons"];

/**
 * @param {{name: string, quality: Quality}[]} photos
 * @returns {string}
 */
export function toCsv(photos) {
  const rows = photos.map(({ name, quality }) => [
    name,
    "0",
    quality.status,
    quality.score === null ? "" : String(Number(quality.score.toFixed(2))),
    quality.raw === null ? "" : String(Number(quality.raw.toPrecision(6))),
    quality.reasons.map(({ code }) => code).join(";"),
  ]);
  return [COLUMNS, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/**
 * A value in quotes where it needs them; one that a spreadsheet would take for a formula is kept from it.
 * @param {string} value
 */
function cell(value) {
  const plain = /^[=@+\t\r]/.test(value) || /^-(?![\d.])/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
