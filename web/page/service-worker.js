// @ts-check
// Keeps this page's own files, so that it works offline after the first visit. Photos never come here.

/** @type {string} */
const VERSION = /* filled in by tools/make_page.py */ "";
/** @type {string[]} */
const FILES = /* filled in by tools/make_page.py */ [];
const CACHE = `fiqa-page-${VERSION}`;

const worker = /** @type {any} */ (self);
const scope = new URL("./", worker.location.href);
const kept = new Set(FILES.map((name) => new URL(name, scope).href));

worker.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...kept])));
});

// An old version stays until no page of it is open, so that no page meets files of two versions.
worker.addEventListener("activate", (/** @type {any} */ event) => {
  const old = (/** @type {string} */ name) => name.startsWith("fiqa-page-") && name !== CACHE;
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))),
  );
});

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.search) return;
  const wanted = address.href === scope.href ? new URL("index.html", scope).href : address.href;
  if (!kept.has(wanted)) return;
  event.respondWith(
    caches
      .open(CACHE)
      .then((cache) => cache.match(wanted))
      .then((found) => found ?? fetch(event.request)),
  );
});
