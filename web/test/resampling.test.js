// @ts-check
import assert from "node:assert/strict";
import test from "node:test";

import { reduce, resize, rotate, warp } from "../page/assets/engine/resampling.js";
import { golden, unpack } from "./golden.js";

const { resampled } = golden;
const picture = unpack(resampled.picture);

for (const one of resampled.resized) {
  test(`resized to ${one.size} from ${one.box} with gap ${one.gap}, bit for bit`, () => {
    const found = resize(picture, one.size[0], one.size[1], one.box, one.gap ?? undefined);
    assert.deepEqual(found, unpack(one));
  });
}

for (const one of resampled.reduced) {
  test(`reduced by ${one.factor}, bit for bit`, () => {
    assert.deepEqual(reduce(picture, one.factor[0], one.factor[1]), unpack(one));
  });
}

test("warped, bit for bit", () => {
  assert.deepEqual(warp(picture, 16, resampled.warped.affine), unpack(resampled.warped));
});

test("rotated: within one grey level, since Pillow's cosine has other last bits", () => {
  const [found, expected] = [rotate(picture, resampled.rotated.degrees), unpack(resampled.rotated)];
  const away = found.data.map((value, i) => Math.abs(value - expected.data[i]));
  assert.ok(Math.max(...away) <= 1, `${Math.max(...away)} grey levels`);
});
