// @ts-check
// The camera: its picture, one instruction at a time, and the picture that it takes by itself.

import { saidOf } from "./card.js";
import { byId, h } from "./dom.js";
import { Shutter, Steady, instructionFor } from "./guidance.js";
import { t } from "./strings.js";

/** @typedef {import("../engine/pipeline.js").Quality} Quality */

/**
 * @typedef {object} Around what the camera works with
 * @property {import("./engine.js").Engine} engine
 * @property {(file: Blob) => Promise<Quality>} judge
 * @property {(file: File, quality: Quality) => void} onKeep
 */

const LONGEST_WAIT = 15_000; // milliseconds for a camera to start: some never answer

export class Camera {
  /** @param {Around} around */
  constructor(around) {
    this._around = around;
    this._video = /** @type {HTMLVideoElement} */ (byId("video"));
    /** @type {MediaStream | null} */
    this._stream = null;
    this._facing = "user";
    this._taken = 0;
    this._round = 0; // grows when a loop of frames must end
    /** @type {{file: File, quality: Quality} | null} */
    this._result = null;
    /** @type {Shutter<ImageBitmap>} */
    this._shutter = new Shutter((frame) => frame.close());
  }

  listen() {
    byId("open-camera").addEventListener("click", () => void this.start());
    byId("close-camera").addEventListener("click", () => this.close());
    byId("take").addEventListener("click", () => void this.take());
    byId("retake").addEventListener("click", () => this.watch());
    byId("keep").addEventListener("click", () => this.keep());
    byId("turn").addEventListener("click", () => {
      this._facing = this._facing === "user" ? "environment" : "user";
      void this.start();
    });
  }

  /** @param {string} text */
  say(text) {
    byId("instruction").textContent = text;
  }

  async start() {
    this._stop();
    byId("drop").hidden = true;
    byId("camera-buttons").hidden = false;
    this._show("starting");
    this.say(t("camera.starting"));
    byId("close-camera").focus();
    const round = ++this._round;
    try {
      const stream = await openCamera(this._facing);
      if (round !== this._round) {
        for (const track of stream.getTracks()) track.stop(); // it was closed meanwhile
        return;
      }
      this._stream = stream;
      this._video.srcObject = stream;
      this._video.classList.toggle("mirrored", this._facing === "user");
      await this._video.play();
      this.watch();
    } catch (error) {
      if (round === this._round) this.say(t(causeOf(error)));
    }
  }

  close() {
    this._stop();
    this.say("");
    byId("drop").hidden = false;
    byId("stage").hidden = true;
    byId("camera-buttons").hidden = true;
    byId("camera-result").replaceChildren();
    byId("open-camera").focus();
  }

  /** Look at frame after frame until there is a picture. */
  watch() {
    this._result = null;
    this._show("watching");
    byId("take").focus({ preventScroll: true });
    byId("camera").scrollIntoView({ block: "nearest" }); // all of it, where it fits
    void this._look(++this._round, new Steady());
  }

  /**
   * @param {number} round
   * @param {Steady} steady
   */
  async _look(round, steady) {
    let good = false; // whether all was well in the frame before: only then is the next one scored
    while (round === this._round) {
      if (!this._video.videoWidth || document.hidden) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      const frame = await createImageBitmap(this._video);
      const size = { width: frame.width, height: frame.height };
      const seen = await this._around.engine.look(await createImageBitmap(frame), good);
      if (round !== this._round) {
        frame.close();
        return;
      }
      const instruction = instructionFor(seen, size);
      good = instruction === "hold";
      const now = performance.now();
      byId("oval").classList.toggle("good", good);
      if (steady.hear(instruction, now)) this.say(t(`guide.${instruction}`));
      const ready = this._shutter.see(frame, seen, instruction, now);
      if (ready && steady.said === "hold") await this.take();
    }
  }

  /** Take the best picture of the last two seconds, or, if none was good, the one that is there now. */
  async take() {
    if (!this._video.videoWidth) return;
    this._round++;
    const frame = this._shutter.take() ?? (await createImageBitmap(this._video));
    const file = await toFile(frame, t("camera.picture", { n: ++this._taken }));
    frame.close();
    const image = /** @type {HTMLImageElement} */ (byId("taken"));
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(file);
    image.classList.toggle("mirrored", this._facing === "user");
    this._show("taken");
    this.say(t("guide.judging"));
    const round = this._round;
    const quality = await this._around.judge(file);
    if (round !== this._round) return;
    this._result = { file, quality };
    this.say(
      quality.score === null ? t(`status.${quality.status}`) : t("guide.taken", { score: Math.round(quality.score) }),
    );
    byId("camera-result").replaceChildren(h("div", { className: "card" }, ...saidOf(quality)));
    byId("keep").focus();
  }

  keep() {
    if (!this._result) return;
    this._around.onKeep(this._result.file, this._result.quality);
    this.close();
  }

  _stop() {
    this._round++;
    this._shutter.take()?.close();
    for (const track of this._stream?.getTracks() ?? []) track.stop();
    this._stream = null;
    this._video.srcObject = null;
  }

  /** @param {"starting" | "watching" | "taken"} state */
  _show(state) {
    byId("stage").hidden = state === "starting";
    byId("taken").hidden = state !== "taken";
    byId("oval").toggleAttribute("hidden", state === "taken");
    byId("oval").classList.remove("good");
    byId("take").hidden = state !== "watching";
    byId("turn").hidden = state !== "watching";
    for (const id of ["keep", "retake"]) byId(id).hidden = state !== "taken";
    byId("camera-result").replaceChildren();
  }
}

/**
 * @param {string} facing
 * @returns {Promise<MediaStream>}
 */
async function openCamera(facing) {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "SecurityError");
  const wanted = { video: { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false };
  const asked = navigator.mediaDevices.getUserMedia(wanted);
  let late = false;
  asked.then((stream) => late && stream.getTracks().forEach((track) => track.stop())).catch(() => {});
  return Promise.race([
    asked,
    new Promise((_, reject) => {
      setTimeout(() => {
        late = true;
        reject(new DOMException("", "NotReadableError"));
      }, LONGEST_WAIT);
    }),
  ]);
}

/** @param {unknown} error */
function causeOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return "camera.denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "camera.missing";
    case "SecurityError":
      return "camera.insecure";
    default:
      return "camera.busy";
  }
}

/**
 * A frame as a file that loses nothing.
 * @param {ImageBitmap} frame
 * @param {string} name
 * @returns {Promise<File>}
 */
async function toFile(frame, name) {
  const canvas = h("canvas", { width: frame.width, height: frame.height });
  canvas.getContext("2d")?.drawImage(frame, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([/** @type {Blob} */ (blob)], `${name}.png`, { type: "image/png" });
}
