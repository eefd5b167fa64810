// @ts-check
// What the camera sees → one instruction at a time, and when to take the picture.

/** @typedef {import("../engine/pipeline.js").Quality} Quality */

/**
 * @typedef {"nobody" | "several" | "middle" | "closer" | "farther" | "dark" | "bright" | "uneven" | "hazy"
 *   | "covered" | "turned" | "tilted" | "blurred" | "hold"} Instruction
 */

export const AGREED = 700; // milliseconds for which an instruction must be the same before it is given
export const STILL = 900; // for which all must be well before the picture is taken
const BEST_OF = 2000; // of the last so many milliseconds the best picture is kept
const TURNED = 0.25; // eye distances of the nose from the face's axis: stricter than a reason, since it can be helped
const TILTED = 20; // degrees
const [NEAR, FAR] = [0.5, 0.16]; // eyes to chin, as a share of the height: more is too near, less too far
const SECOND = 0.4; // of the largest face's area: a second face
const ASIDE = 0.16; // of the shorter side: how far the face's middle may be from the frame's
const MOVED = 0.12; // eye distances that a still face may move from frame to frame

/** Reasons of a crop that the person can do something about, in the order in which they are said. */
const OF_REASON = /** @type {const} */ ([
  ["over_exposure", "bright"],
  ["under_exposure", "dark"],
  ["uneven_light", "uneven"],
  ["blank_area", "covered"],
  ["noise", "dark"],
  ["sharpness", "blurred"],
  ["low_contrast", "hazy"],
]);

/**
 * The one thing to say about a frame.
 * @param {Quality} seen
 * @param {{width: number, height: number}} frame
 * @returns {Instruction}
 */
export function instructionFor(seen, frame) {
  const { face, measures, reasons } = seen;
  if (!face) return "nobody";
  if ((measures.single_face ?? 0) > SECOND) return "several";
  if (measures.head_size < FAR || measures.eye_distance < 40) return "closer";
  if (measures.head_size > NEAR) return "farther";
  const [x, y] = [(face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2];
  const aside = Math.max(Math.abs(x - frame.width / 2), Math.abs(y - frame.height / 2));
  if (aside > ASIDE * Math.min(frame.width, frame.height)) return "middle";
  const dark = reasons.some(({ code }) => code === "under_exposure");
  if (!dark && Math.abs(measures.yaw ?? 0) > TURNED) return "turned";
  if (!dark && Math.abs(rollOf(face)) > TILTED) return "tilted";
  for (const [code, instruction] of OF_REASON) {
    if (reasons.some((reason) => reason.code === code)) return instruction;
  }
  return "hold";
}

/** The angle of the line of the eyes, in degrees. @param {import("../engine/mtcnn.js").Face} face */
function rollOf({ landmarks: [left, right] }) {
  return (Math.atan2(right[1] - left[1], right[0] - left[0]) * 180) / Math.PI;
}

/**
 * Says an instruction only after the frames have agreed on it for a while, so that the words don't flicker.
 */
export class Steady {
  /** @type {Instruction | null} */
  said = null;
  /** @type {Instruction | null} */
  _next = null;
  _since = 0;

  /**
   * @param {Instruction} instruction of a frame
   * @param {number} now in milliseconds
   * @returns {boolean} whether there is something new to say
   */
  hear(instruction, now) {
    if (instruction !== this._next) {
      this._next = instruction;
      this._since = now;
    }
    if (instruction === this.said || now - this._since < AGREED) return false;
    this.said = instruction;
    return true;
  }
}

/**
 * Remembers the good frames of the last two seconds, and says when to take the best of them.
 * @template Frame
 */
export class Shutter {
  /** @param {(frame: Frame) => void} drop called for each frame that is no longer needed */
  constructor(drop) {
    this._drop = drop;
    /** @type {{frame: Frame, score: number, at: number}[]} */
    this._kept = [];
    this._since = -1;
    /** @type {import("../engine/mtcnn.js").Face | null} */
    this._before = null;
  }

  /**
   * @param {Frame} frame
   * @param {Quality} seen of it, with its score if all is well
   * @param {Instruction} instruction
   * @param {number} now in milliseconds
   * @returns {boolean} whether the picture should be taken
   */
  see(frame, seen, instruction, now) {
    const still = this._isStill(seen.face);
    this._before = seen.face;
    this._forget(now - BEST_OF);
    if (seen.score !== null) this._kept.push({ frame, score: seen.score, at: now });
    else this._drop(frame);
    if (instruction !== "hold" || !still) {
      this._since = -1;
      return false;
    }
    if (this._since < 0) this._since = now;
    return now - this._since >= STILL;
  }

  /** The best frame of the last two seconds; the others are dropped. @returns {Frame | null} */
  take() {
    const best = this._kept.reduce(
      (one, other) => (one === null || other.score > one.score ? other : one),
      /** @type {{frame: Frame, score: number, at: number} | null} */ (null),
    );
    for (const { frame } of this._kept) if (frame !== best?.frame) this._drop(frame);
    this._kept = [];
    this._since = -1;
    this._before = null;
    return best ? best.frame : null;
  }

  /** @param {import("../engine/mtcnn.js").Face | null} face */
  _isStill(face) {
    const before = this._before;
    if (!face || !before) return false;
    const [left, right] = face.landmarks;
    const between = Math.hypot(right[0] - left[0], right[1] - left[1]);
    const moves = face.landmarks.map(([x, y], i) => {
      return Math.hypot(x - before.landmarks[i][0], y - before.landmarks[i][1]);
    });
    return moves.reduce((sum, move) => sum + move, 0) / moves.length <= MOVED * between;
  }

  /** @param {number} until */
  _forget(until) {
    for (const { frame, at } of this._kept) if (at < until) this._drop(frame);
    this._kept = this._kept.filter(({ at }) => at >= until);
  }
}
