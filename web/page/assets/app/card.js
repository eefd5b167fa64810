// @ts-check
// One photo and its quality → an item of the list.

import { h } from "./dom.js";
import { draw } from "./heatmap.js";
import { advice, t } from "./strings.js";

/** @typedef {import("../engine/pipeline.js").Quality} Quality */
/** @typedef {import("../engine/diagnosis.js").Reason} Reason */

/**
 * @typedef {object} Photo
 * @property {number} id
 * @property {string} name
 * @property {Blob} file
 * @property {Quality | null} quality null until it is known
 */

const [HIGH, MIDDLE] = [80, 50]; // from here on a score is called so; docs/page.md says why

/** @param {number} score */
export function band(score) {
  return score >= HIGH ? "high" : score >= MIDDLE ? "middle" : "low";
}

/**
 * The face; under the pointer, with the focus, or when it is pressed, its map.
 * @param {Photo} photo
 * @param {Quality} quality
 */
export function faceOf({ name }, quality) {
  const canvas = h("canvas", { width: 112, height: 112 });
  const { crop, map } = quality;
  if (!crop) return h("div", { className: "face lost", "aria-hidden": "true" }, "–");
  const button = h(
    "button",
    { type: "button", className: "face", "aria-pressed": "false", "aria-label": t("card.map", { name }) },
    canvas,
  );
  draw(canvas, crop, null);
  if (!map) return button;
  const state = { over: false, focus: false, pressed: false };
  const show = (/** @type {Partial<typeof state>} */ change) => {
    Object.assign(state, change);
    draw(canvas, crop, state.over || state.focus || state.pressed ? map : null);
    button.setAttribute("aria-pressed", String(state.pressed));
  };
  button.addEventListener("pointerenter", ({ pointerType }) => show({ over: pointerType === "mouse" }));
  button.addEventListener("pointerleave", () => show({ over: false }));
  button.addEventListener("focus", () => show({ focus: button.matches(":focus-visible") }));
  button.addEventListener("blur", () => show({ focus: false }));
  button.addEventListener("click", () => show({ pressed: !state.pressed }));
  return h(
    "div",
    { className: "face-and-scale" },
    button,
    h("p", { className: "scale", "aria-hidden": "true" }, h("span", {}, t("map.low")), h("span", {}, t("map.high"))),
  );
}

/**
 * The number, its meter and what it means.
 * @param {number} score
 */
export function scoreOf(score) {
  const fill = h("i");
  fill.style.setProperty("--value", score.toFixed(1));
  return h(
    "div",
    { className: `judged ${band(score)}` },
    h(
      "p",
      { className: "score" },
      h("strong", {}, String(Math.round(score))),
      h("span", { className: "muted" }, t("card.of")),
      h("span", { className: "band" }, t(`card.${band(score)}`)),
    ),
    h("span", { className: "meter", "aria-hidden": "true" }, fill),
  );
}

/** @param {Reason[]} reasons */
export function reasonsOf(reasons) {
  return h(
    "ul",
    { className: "reasons" },
    ...reasons.map((reason) =>
      h("li", {}, h("strong", {}, t(`reason.${reason.advice}`)), h("span", {}, advice(reason.advice))),
    ),
  );
}

/**
 * @param {Photo} photo
 * @param {{compared: boolean, onCompare: (chosen: boolean) => void, onRemove: () => void}} actions
 */
export function cardOf(photo, { compared, onCompare, onRemove }) {
  const { name, quality } = photo;
  const title = h("h3", { className: "name", title: name }, name);
  const item = h("li", { className: "card photo" });
  item.dataset.id = String(photo.id);
  if (!quality) {
    item.classList.add("waiting");
    item.append(
      h("div", { className: "face lost", "aria-hidden": "true" }),
      h("div", { className: "said" }, title, h("p", { className: "muted" }, t("card.waiting"))),
    );
    return item;
  }
  const check = h("input", { type: "checkbox", checked: compared, "aria-label": t("card.compare_name", { name }) });
  check.addEventListener("change", () => onCompare(check.checked));
  const remove = h("button", { type: "button", className: "plain", "aria-label": t("card.remove_name", { name }) });
  remove.append(t("card.remove"));
  remove.addEventListener("click", onRemove);
  item.append(
    faceOf(photo, quality),
    h("div", { className: "said" }, title, ...saidOf(quality)),
    h("div", { className: "actions" }, h("label", {}, check, t("card.compare")), remove),
  );
  return item;
}

/**
 * What is said of a photo: its number and reasons, or why there is none.
 * @param {Quality} quality
 * @returns {HTMLElement[]}
 */
export function saidOf({ status, score, reasons, said }) {
  if (score === null) {
    const why = status === "failed" && said ? h("p", { className: "muted small" }, said) : null;
    const shown = [h("p", { className: "status" }, t(`status.${status}`)), why, reasonsOf(reasons)];
    return /** @type {HTMLElement[]} */ (shown.filter((part) => part !== null));
  }
  return [
    scoreOf(score),
    h("p", { className: "meaning" }, t("card.meaning", { n: Math.round(score) })),
    reasons.length ? reasonsOf(reasons) : h("p", { className: "muted small" }, t("card.no_reason")),
  ];
}
