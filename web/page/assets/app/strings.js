// @ts-check
// What the page says, in the language that was chosen: one file of strings for each.

export const LANGUAGES = /** @type {const} */ (["en", "de", "es", "fr"]);
const KEY = "fiqa-language";

/** @type {Record<string, string> & {advice?: Record<string, string>}} */
let strings = {};

/** The language that was chosen before, or the first of the browser's that there is. */
export function preferred() {
  const wanted = [remembered(), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => LANGUAGES.includes(/** @type {any} */ (tag))) ?? "en";
}

/** @param {string} language */
export async function use(language) {
  const response = await fetch(new URL(`../strings/${language}.json`, import.meta.url));
  strings = await response.json();
  document.documentElement.lang = language;
  document.title = `fiqa: ${t("title")}`;
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(element.getAttribute("data-t") ?? "");
  }
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // a browser that keeps nothing: the choice lasts as long as the page
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/**
 * A text with what stands in its braces filled in.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function t(name, values = {}) {
  const text = strings[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (mark, key) => String(values[key] ?? mark));
}

/**
 * What to do about a reason.
 * @param {string} code
 */
export function advice(code) {
  return strings.advice?.[code] ?? "";
}

/**
 * The code whose advice a sentence of the server is, which says more than the reason's own code.
 * @param {string} code
 * @param {string} sentence in English
 */
export function adviceCode(code, sentence) {
  return code === "sharpness" && /still/i.test(sentence) ? "motion" : code;
}
