// A picture: decoded once, given again whenever it is asked for.

import { PageError } from "../errors.js";

const MOST_PIXELS = 16e6;
const MOST_TO_DECODE = 200e6;

/** @typedef {{kind: "picture"|"video"|"camera", name: string, note: string, live: boolean, grab: () => Promise<ImageBitmap>, close: () => void}} Source */

/**
 * A picture file as a source.
 * @param {Blob} blob
 * @param {string} name
 * @param {number} largest longest side that can be shown
 */
export async function openPicture(blob, name, largest) {
  const { bitmap, note } = await decoded(blob, name, largest);
  return stillSource(bitmap, name, note);
}

/** @param {ImageBitmap} bitmap */
export function stillSource(bitmap, name, note = "") {
  return {
    kind: "picture",
    name,
    note,
    live: false,
    grab: () => createImageBitmap(bitmap),
    close: () => bitmap.close(),
  };
}

/**
 * Decode a picture, scaled down where it is huge, turned as its EXIF says.
 * @returns {Promise<{bitmap: ImageBitmap, note: string}>}
 */
export async function decoded(blob, name, largest) {
  const image = new Image();
  const url = URL.createObjectURL(blob);
  try {
    image.src = url;
    await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    if (width * height > MOST_TO_DECODE) {
      throw new PageError(
        `The picture ${name} has ${width}×${height} pixels, more than the ${MOST_TO_DECODE / 1e6} million this page decodes. Scale it down first.`,
      );
    }
    const scale = Math.min(1, largest / Math.max(width, height), Math.sqrt(MOST_PIXELS / (width * height)));
    const bitmap = await flattened(image, ...[width, height].map((side) => Math.max(1, Math.round(side * scale))));
    const note =
      scale < 1
        ? `The picture has ${width}×${height} pixels; it was scaled down to ${bitmap.width}×${bitmap.height}.`
        : "";
    return { bitmap, note };
  } catch (error) {
    if (error instanceof PageError) throw error;
    throw new PageError(
      `The picture ${name} cannot be decoded: it is damaged, or of a kind this browser does not know. Try a JPEG, PNG or WebP.`,
      { cause: error },
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** On white, where the picture is transparent. */
function flattened(image, width, height) {
  const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { alpha: false });
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(image, 0, 0, width, height);
  return createImageBitmap(pen.canvas);
}
