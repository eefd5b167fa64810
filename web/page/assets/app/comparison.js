// @ts-check
// Two photos of one person → which to keep, and why.

import { faceOf, saidOf } from "./card.js";
import { h } from "./dom.js";
import { t } from "./strings.js";

/** @typedef {import("./card.js").Photo} Photo */

const CLOSE = 2; // points below which two scores say the same

/**
 * The verdict on two photos, in one or two sentences.
 * @param {Photo} one
 * @param {Photo} other
 * @returns {{keep: Photo | null, said: string}}
 */
export function verdict(one, other) {
  const [first, second] = [one, other].sort((a, b) => scoreOf(b) - scoreOf(a));
  const [most, least] = [scoreOf(first), scoreOf(second)];
  if (most < 0) return { keep: null, said: t("compare.neither") };
  if (least < 0) return { keep: first, said: t("compare.better", { name: first.name }) };
  const points = (most - least).toFixed(1);
  if (most - least < CLOSE) return { keep: null, said: t("compare.either", { points }) };
  const against = second.quality?.reasons ?? [];
  const why = against.map(({ advice }) => t(`reason.${advice}`).toLocaleLowerCase()).join(", ");
  const because = why ? ` ${t("compare.because", { name: second.name, why })}` : "";
  return { keep: first, said: t("compare.keep", { name: first.name, points }) + because };
}

/** @param {Photo} photo */
function scoreOf({ quality }) {
  return quality?.score ?? -1;
}

/**
 * Fills the section that compares, and shows it.
 * @param {HTMLElement} section
 * @param {Photo} one
 * @param {Photo} other
 * @param {() => void} onClose
 */
export function showComparison(section, one, other, onClose) {
  const { keep, said } = verdict(one, other);
  const close = h("button", { type: "button" }, t("compare.close"));
  close.addEventListener("click", onClose);
  section.replaceChildren(
    h("h3", { id: "comparison-title" }, t("compare.title")),
    h("p", { className: "verdict" }, said),
    h(
      "div",
      { className: "pair" },
      ...[one, other].map((photo) =>
        h(
          "article",
          { className: photo === keep ? "side kept" : "side" },
          h("h4", { className: "name" }, photo.name),
          ...(photo.quality ? [faceOf(photo, photo.quality), ...saidOf(photo.quality)] : []),
        ),
      ),
    ),
    close,
  );
  section.hidden = false;
}
