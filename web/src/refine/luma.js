// The frame in gray, and that at the size of a mask (segruntime/refine/shrink.py).

import { bilinearBytes } from "../engine/resize.js";

const FINEST = 1 << 18;

/** RGBA → luma of BT.601 in the fixed point of OpenCV's COLOR_BGR2GRAY. */
export function lumaOf({ data, width, height }) {
  const out = new Uint8Array(width * height);
  for (let k = 0, at = 0; k < out.length; k++, at += 4)
    out[k] = (9798 * data[at] + 19235 * data[at + 1] + 3735 * data[at + 2] + 16384) >> 15;
  return out;
}

/** Halved as long as it is twice as large, bilinear for what remains. */
export function shrink(luma, height, width, toHeight, toWidth) {
  while (height >= 2 * toHeight && width >= 2 * toWidth) {
    luma = halved(luma, height, width);
    [height, width] = [height >> 1, width >> 1];
  }
  return height === toHeight && width === toWidth ? luma : bilinearBytes(luma, height, width, toHeight, toWidth);
}

/** Half the frame, or a quarter, … each side, of at most 2^18 pixels; the mask's size if that has more. */
export function halfSize(frame, mask) {
  let [height, width] = frame.map((side) => (side + 1) >> 1);
  while (height * width > FINEST) [height, width] = [(height + 1) >> 1, (width + 1) >> 1];
  return height * width > mask[0] * mask[1] ? [height, width] : mask;
}

function halved(luma, height, width) {
  if (height % 2 || width % 2) return bilinearBytes(luma, height, width, height >> 1, width >> 1);
  const [h, w] = [height >> 1, width >> 1];
  const out = new Uint8Array(h * w);
  for (let y = 0, to = 0; y < h; y++) {
    for (let x = 0, at = 2 * y * width; x < w; x++, at += 2)
      out[to++] = (luma[at] + luma[at + 1] + luma[at + width] + luma[at + width + 1] + 2) >> 2;
  }
  return out;
}
