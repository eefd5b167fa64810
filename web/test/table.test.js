// @ts-check
import assert from "node:assert/strict";
import test from "node:test";

import { verdict } from "../page/assets/app/comparison.js";
import { toCsv } from "../page/assets/app/table.js";
import { calibrate } from "../page/assets/engine/calibration.js";
import { readHeader } from "../page/assets/engine/jpeg.js";
import { without } from "../page/assets/engine/pipeline.js";

const judged = { ...without("ok"), score: 41.256, raw: -1.2345678 };

test("a table that spreadsheets read, and in which they run nothing", () => {
  const reasons = ["noise", "yaw"].map((code) => ({ code, advice: code, value: 1, limit: 0, unit: "" }));
  const text = toCsv([
    { name: 'a "b", c.jpg', quality: { ...judged, reasons } },
    { name: "=1+1.png", quality: without("no_face") },
  ]);
  assert.equal(
    text,
    "path,face,status,score,exit-depth,reasons\r\n" +
      '"a ""b"", c.jpg",0,ok,41.26,-1.23457,noise;yaw\r\n' +
      "'=1+1.png,0,no_face,,,\r\n",
  );
});

test("of two photos the better one is kept, unless they are as good as each other or have no score", () => {
  const photo = (/** @type {string} */ name, /** @type {number | null} */ score) => ({
    id: 1, name, file: new Blob(), quality: { ...judged, score },
  });
  const [good, close, bad, none] = [photo("good", 90), photo("close", 89), photo("bad", 20), photo("none", null)];
  assert.equal(verdict(bad, good).keep, good);
  assert.equal(verdict(good, close).keep, null);
  assert.equal(verdict(none, bad).keep, bad);
  assert.equal(verdict(none, none).keep, null);
});

test("a raw score is calibrated by straight lines, and stays at its ends", () => {
  const calibration = { raw: [0, 1, 3], score: [10, 20, 90] };
  assert.deepEqual([-1, 0, 0.5, 1, 2, 3, 9].map((raw) => calibrate(calibration, raw)), [10, 10, 15, 20, 55, 90, 90]);
});

test("a header of any bytes is read without an error", () => {
  for (const bytes of [[], [0xff, 0xd8], [0xff, 0xd8, 0xff], [0xff, 0xd8, 0xff, 0xdb, 0, 67, 0, 1, 2]]) {
    assert.equal(readHeader(Uint8Array.from(bytes)).jpegQuality, null);
  }
  let seed = 1;
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from({ length: 60 }, () => (seed = (seed * 48271) % 2147483647) % 256);
    bytes.set([0xff, 0xd8, 0xff, 0xdb]);
    readHeader(bytes);
  }
});
