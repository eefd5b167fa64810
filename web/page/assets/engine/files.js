// @ts-check
// Addresses of this page's own files in → their bytes out; those that were packed at build time are unpacked.

const GZIP = [0x1f, 0x8b];

/**
 * @param {URL} address
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchBytes(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname} is missing: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  // a server that says Content-Encoding: gzip has the browser unpack it on the way
  if (bytes[0] !== GZIP[0] || bytes[1] !== GZIP[1]) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}
