// @ts-check
import assert from "node:assert/strict";
import test from "node:test";

import { AGREED, STILL, Shutter, Steady, instructionFor } from "../page/assets/app/guidance.js";
import { without } from "../page/assets/engine/pipeline.js";

/** @typedef {import("../page/assets/engine/pipeline.js").Quality} Quality */

const FRAME = { width: 640, height: 480 };

/**
 * A face in the middle of the frame that is as it should be, but for what is given.
 * @param {Record<string, number>} [measures]
 * @param {string[]} [codes]
 * @param {number} [shift] in pixels
 * @returns {Quality}
 */
function seen(measures = {}, codes = [], shift = 0) {
  const landmarks = [[290, 220], [350, 220], [320, 250], [300, 285], [340, 285]];
  return {
    ...without("ok"),
    score: 90,
    face: {
      box: [260 + shift, 170, 380 + shift, 310],
      landmarks: landmarks.map(([x, y]) => /** @type {[number, number]} */ ([x + shift, y])),
      confidence: 1,
    },
    measures: { single_face: 0, head_size: 0.25, eye_distance: 60, yaw: 0, ...measures },
    reasons: codes.map((code) => ({ code, advice: code, value: 0, limit: 0, unit: "" })),
  };
}

test("one instruction for each thing that is not well, where the face is before how it is lit", () => {
  assert.equal(instructionFor(without("no_face"), FRAME), "nobody");
  assert.equal(instructionFor(seen(), FRAME), "hold");
  assert.equal(instructionFor(seen({ single_face: 0.6 }), FRAME), "several");
  assert.equal(instructionFor(seen({ head_size: 0.1 }), FRAME), "closer");
  assert.equal(instructionFor(seen({ head_size: 0.6 }), FRAME), "farther");
  assert.equal(instructionFor(seen({}, [], 150), FRAME), "middle");
  assert.equal(instructionFor(seen({ yaw: -0.3 }), FRAME), "turned");
  assert.equal(instructionFor(seen({}, ["under_exposure"]), FRAME), "dark");
  assert.equal(instructionFor(seen({}, ["over_exposure"]), FRAME), "bright");
  assert.equal(instructionFor(seen({}, ["sharpness", "low_contrast"]), FRAME), "blurred");
  assert.equal(instructionFor(seen({ head_size: 0.1 }, ["under_exposure"]), FRAME), "closer");
});

test("an instruction is given after the frames have agreed on it, and once", () => {
  const steady = new Steady();
  assert.equal(steady.hear("dark", 0), false);
  assert.equal(steady.hear("dark", AGREED - 1), false);
  assert.equal(steady.hear("turned", AGREED), false);
  assert.equal(steady.hear("dark", AGREED + 1), false);
  assert.equal(steady.hear("dark", 2 * AGREED), false);
  assert.equal(steady.hear("dark", 2 * AGREED + 1), true);
  assert.equal(steady.said, "dark");
  assert.equal(steady.hear("dark", 9 * AGREED), false);
});

test("the picture is taken when all has been well and still, and it is the best of the last two seconds", () => {
  /** @type {string[]} */
  const dropped = [];
  const shutter = new Shutter((/** @type {string} */ frame) => dropped.push(frame));
  const score = (/** @type {number} */ value) => ({ ...seen(), score: value });
  assert.equal(shutter.see("old", score(99), "hold", 0), false);
  assert.equal(shutter.see("best", score(95), "hold", 2500), false);
  assert.deepEqual(dropped, ["old"]);
  assert.equal(shutter.see("worse", score(90), "hold", 2600), false);
  assert.equal(shutter.see("last", score(91), "hold", 2500 + STILL), true);
  assert.equal(shutter.take(), "best");
  assert.deepEqual(dropped, ["old", "worse", "last"]);
  assert.equal(shutter.take(), null);
});

test("no picture of a face that moves, nor while something is not well", () => {
  const shutter = new Shutter(() => {});
  for (let now = 0; now < 5 * STILL; now += 100) {
    assert.equal(shutter.see("moving", seen({}, [], (now / 10) % 100), "hold", now), false);
  }
  for (let now = 0; now < 5 * STILL; now += 100) {
    assert.equal(shutter.see("dark", { ...seen(), score: null }, "dark", 9000 + now), false);
  }
  assert.equal(shutter.take(), null);
});
