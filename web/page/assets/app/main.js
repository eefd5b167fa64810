// @ts-check
// The page: what its buttons do, and where photos go.

import { without } from "../engine/pipeline.js";
import { Camera } from "./camera.js";
import { byId, h } from "./dom.js";
import { Engine } from "./engine.js";
import { Gallery } from "./gallery.js";
import { findServer, judgeThere } from "./server.js";
import { LANGUAGES, preferred, t, use } from "./strings.js";

/** @typedef {import("../engine/pipeline.js").Quality} Quality */

const engine = new Engine();
const mode = /** @type {HTMLSelectElement} */ (byId("mode"));
const key = /** @type {HTMLInputElement} */ (byId("key"));
/** @type {import("./server.js").Server} */
let server = { api: null };

/**
 * @param {Blob} file
 * @returns {Promise<Quality>}
 */
async function judge(file) {
  try {
    if (mode.value === "server" && server.api) {
      return await judgeThere(server.api, file, key.value, (photo, landmarks) => engine.cut(photo, landmarks));
    }
    return await engine.judge(file);
  } catch (error) {
    return without("failed", error instanceof Error ? error.message : String(error));
  }
}

const gallery = new Gallery(judge);
const camera = new Camera({ engine, judge, onKeep: (file, quality) => gallery.addJudged(file, quality) });

function takeFiles() {
  const files = /** @type {HTMLInputElement} */ (byId("files"));
  const drop = byId("drop");
  byId("choose").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    gallery.add(files.files ?? []);
    files.value = ""; // so that the same file can be chosen again
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (relatedTarget === null) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    gallery.add(event.dataTransfer?.files ?? []);
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData?.files.length) gallery.add(clipboardData.files);
  });
}

function switchMode() {
  for (const [value, there] of /** @type {const} */ ([["gpu", "gpu" in navigator], ["server", server.api]])) {
    if (!there) mode.querySelector(`option[value=${value}]`)?.remove();
  }
  byId("mode-choice").hidden = mode.options.length < 2;
  let gpu = false;
  mode.addEventListener("change", async () => {
    const there = mode.value === "server";
    byId("promise").setAttribute("data-t", there ? "promise.server" : "promise.private");
    byId("promise").textContent = t(there ? "promise.server" : "promise.private");
    byId("key-entry").hidden = !there || !server.key;
    if (!there && gpu !== (mode.value === "gpu")) gpu = await openEngine(!gpu);
    if (gallery.photos.length && !(there && server.key && !key.value)) gallery.again();
  });
  byId("key-entry").addEventListener("submit", (event) => event.preventDefault()); // a change has been heard already
  key.addEventListener("change", () => gallery.again());
}

async function chooseLanguage() {
  const select = /** @type {HTMLSelectElement} */ (byId("language"));
  const names = { en: "English", de: "Deutsch", es: "Español", fr: "Français" };
  select.append(...LANGUAGES.map((tag) => h("option", { value: tag, lang: tag }, names[tag])));
  select.value = preferred();
  select.addEventListener("change", async () => {
    await use(select.value);
    gallery.retell();
  });
  await use(select.value);
}

/**
 * Load the engine; where the graphics processor can't do it as well, without it.
 * @param {boolean} [gpu]
 * @returns {Promise<boolean>} whether it runs on the graphics processor
 */
async function openEngine(gpu = false) {
  const progress = byId("progress");
  progress.textContent = t("progress.loading", { megabytes: document.documentElement.dataset.megabytes ?? "" });
  if (document.documentElement.dataset.ready) {
    delete document.documentElement.dataset.ready;
    engine.restart();
  }
  try {
    await engine.open(gpu);
    if (!gallery.photos.length) progress.textContent = "";
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    if (gpu) {
      mode.value = "private";
      engine.restart();
      await openEngine();
      progress.textContent = t("progress.no_gpu", { message });
      return false;
    }
    progress.textContent = t("progress.broken", { message });
  }
  document.documentElement.dataset.ready = "true";
  return gpu;
}

takeFiles();
await chooseLanguage();
server = await findServer();
switchMode();
camera.listen();
await openEngine();
if ("serviceWorker" in navigator) {
  // after everything else: it keeps the files that were fetched just now
  navigator.serviceWorker.register(new URL("../../service-worker.js", import.meta.url)).catch(() => {});
}
