// @ts-check
// The worker: files and frames in, qualities out. It fetches this page's own files, once, and nothing else.

import { Unusable, decode, pixelsOf } from "./decoding.js";
import { diagnose } from "./diagnosis.js";
import { align } from "./alignment.js";
import { findFaces, nothing } from "./faces.js";
import { fetchBytes } from "./files.js";
import { blank } from "./picture.js";
import { detect } from "./mtcnn.js";
import { check } from "./parity.js";
import { openNetworks } from "./networks.js";
import { judge, without } from "./pipeline.js";

/** @typedef {import("./pipeline.js").Quality} Quality */
/** @typedef {import("./pipeline.js").Settings} Settings */
/** @typedef {import("./networks.js").Networks} Networks */
/** @typedef {import("./mtcnn.js").Face} Face */

/**
 * @typedef {{id: number, ask: "open", gpu: boolean}
 *   | {id: number, ask: "judge", file: Blob}
 *   | {id: number, ask: "cut", file: Blob, landmarks: import("./mtcnn.js").Point[] | null}
 *   | {id: number, ask: "look", frame: ImageBitmap, score: boolean}} Question
 */

const at = (/** @type {string} */ path) => new URL(path, import.meta.url);

/** @type {Promise<{networks: Networks, settings: Settings}> | undefined} */
let opened;

/**
 * Networks and settings, loaded and run once, since the first run of each takes longer.
 * @param {boolean} gpu whether WebGPU runs the quality network, as long as it gives the same numbers
 */
async function open(gpu) {
  const settings = /** @type {Settings} */ (await (await fetch(at("../models/settings.json"))).json());
  const ort = gpu ? await import("../runtime/ort.webgpu.min.mjs") : await import("../runtime/ort.wasm.min.mjs");
  const code = gpu ? "ort-wasm-simd-threaded.asyncify" : "ort-wasm-simd-threaded";
  ort.env.wasm.wasmPaths = { mjs: at(`../runtime/${code}.mjs`) };
  ort.env.wasm.wasmBinary = await fetchBytes(at(`../runtime/${code}.wasm.gz`));
  const load = (/** @type {string} */ name) => fetchBytes(at(`../models/${name}.onnx.gz`));
  const networks = await openNetworks(ort, load, settings.model, gpu);
  if (gpu) await check(networks, await openNetworks(ort, load, settings.model));
  await networks.judge(blank(112, 112));
  await findFaces(networks.run, nothing(), settings.detector);
  return { networks, settings };
}

/**
 * A camera's frame: the same, with a quicker look for the face and, only if asked for, the score.
 * @param {ImageBitmap} frame
 * @param {boolean} score
 * @param {Networks} networks
 * @param {Settings} settings
 * @returns {Promise<Quality>}
 */
async function look(frame, score, networks, settings) {
  const picture = pixelsOf(frame);
  frame.close();
  const smallest = Math.min(picture.width, picture.height) / 8;
  const quick = { ...settings.detector, minFace: Math.max(20, smallest), maxSide: 640 };
  const faces = await detect(networks.run, picture, quick);
  const crop = faces.length ? align(picture, faces[0].landmarks) : null;
  if (!crop) return without("no_face");
  const { width, height } = picture;
  const photo = { width, height, faces, jpegQuality: null, roll: null };
  const { reasons, measures } = diagnose(settings.reasons, crop, { photo, face: faces[0] });
  const judged = score ? await networks.judge(crop) : { score: null, raw: null, map: null };
  return { status: "ok", ...judged, face: faces[0], reasons, measures, crop, said: "" };
}

/**
 * @param {Question} question
 * @returns {Promise<unknown>}
 */
async function answer(question) {
  opened ??= open(question.ask === "open" && question.gpu);
  if (question.ask === "cut") {
    const { picture } = await decode(question.file, Infinity);
    return question.landmarks ? align(picture, question.landmarks) : picture;
  }
  const { networks, settings } = await opened;
  switch (question.ask) {
    case "open":
      return settings;
    case "look":
      return look(question.frame, question.score, networks, settings);
    case "judge":
      try {
        const { picture, jpegQuality } = await decode(question.file, settings.maxPixels);
        return await judge(networks, picture, settings, jpegQuality);
      } catch (error) {
        if (error instanceof Unusable) return without(error.status, error.message);
        throw error;
      }
  }
}

/** One question at a time, in their order: the networks share one memory. @type {Promise<unknown>} */
let before = Promise.resolve();

self.addEventListener("message", (/** @type {MessageEvent<Question>} */ { data }) => {
  before = before.then(async () => {
    try {
      self.postMessage({ id: data.id, found: await answer(data) });
    } catch (error) {
      self.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
});
