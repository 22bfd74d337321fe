// A drawn landscape: the background picture until the user brings one.

/** @returns {Promise<ImageBitmap>} 1280x720 */
export function drawLandscape() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
  const pen = canvas.getContext("2d");
  const sky = pen.createLinearGradient(0, 0, 0, 520);
  ["#3f7fae", "#9cc7d8", "#f4dcb6"].forEach((colour, k) => sky.addColorStop(k / 2, colour));
  pen.fillStyle = sky;
  pen.fillRect(0, 0, 1280, 720);
  pen.fillStyle = "#fff2d6";
  pen.beginPath();
  pen.arc(930, 330, 54, 0, 2 * Math.PI);
  pen.fill();
  hills(pen, 430, 70, 0.0051, "#7f9fae");
  hills(pen, 500, 60, 0.0083, "#567f86");
  hills(pen, 590, 40, 0.0061, "#35615c");
  hills(pen, 660, 26, 0.0112, "#234843");
  return createImageBitmap(canvas);
}

function hills(pen, level, height, pace, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.moveTo(0, 720);
  for (let x = 0; x <= 1280; x += 8)
    pen.lineTo(x, level + height * (Math.sin(x * pace + level) + 0.4 * Math.sin(2.7 * x * pace)));
  pen.lineTo(1280, 720);
  pen.fill();
}
