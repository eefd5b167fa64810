// @ts-check
import assert from "node:assert/strict";
import test from "node:test";

import { diagnose } from "../page/assets/engine/diagnosis.js";
import { lumaOf, measureLight } from "../page/assets/engine/light.js";
import { direction, largestArea, measureTexture } from "../page/assets/engine/texture.js";
import { golden, unpack } from "./golden.js";

for (const [i, one] of golden.measured.entries()) {
  test(`crop ${i} measures what Python measures`, () => {
    const crop = unpack(one);
    const luma = lumaOf(crop);
    const found = { ...measureLight(crop, luma), ...measureTexture(crop, luma), direction: direction(luma) };
    for (const [name, value] of Object.entries(one.measures)) {
      if (!(name in found)) continue;
      const mine = /** @type {Record<string, number>} */ (found)[name];
      assert.ok(Math.abs(mine - value) <= 1e-4 * Math.max(1, Math.abs(value)), `${name}: ${mine}, not ${value}`);
    }
    for (const name of ["brightest", "side_ratio", "blur", "noise", "block_steps", "blank_area", "contrast"]) {
      assert.ok(name in one.measures, `${name} is measured in Python`);
    }
  });
}

test("the largest area hangs together over sides, not over corners", () => {
  const mask = Uint8Array.from([1, 1, 0, 0, 0, 1, 1, 0, 1]);
  assert.equal(largestArea(mask, 3), 2);
});

test("a rule whose cause is given already is no reason of its own, and blur with a direction is motion", () => {
  const rules = {
    rules: [
      { code: "resolution", measure: "blur", bound: /** @type {const} */ ("least"), limit: 9, unit: "" },
      { code: "sharpness", measure: "blur", bound: /** @type {const} */ ("most"), limit: 0.1, unit: "" },
    ],
    follows: { resolution: ["sharpness"] },
    directed: 1.4,
    unexplained: 50,
    exposure: [],
  };
  const crop = unpack(golden.measured[1]);
  assert.deepEqual(diagnose(rules, crop, null).reasons.map(({ advice }) => advice), ["resolution"]);
  const alone = { ...rules, rules: rules.rules.slice(1) };
  assert.deepEqual(diagnose(alone, crop, null).reasons.map(({ advice }) => advice), ["motion"]);
});
