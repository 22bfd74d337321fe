// A drawn picture to try the page with: nobody's photograph.

const [WIDTH, HEIGHT] = [960, 720];

/** @returns {HTMLCanvasElement} a person before a wall with a window, 960x720 */
export function drawSample() {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const pen = canvas.getContext("2d");
  room(pen);
  shoulders(pen);
  head(pen);
  face(pen);
  grain(pen);
  return canvas;
}

function room(pen) {
  pen.fillStyle = shade(pen, 0, 0, WIDTH, HEIGHT, "#b9c7c4", "#8fa19f");
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  pen.fillStyle = "#f1efe6";
  pen.fillRect(70, 70, 230, 300);
  pen.fillStyle = shade(pen, 0, 86, 0, 354, "#9cc9ea", "#e3f1f5");
  for (const [x, y] of [
    [84, 84],
    [192, 84],
    [84, 228],
    [192, 228],
  ])
    pen.fillRect(x, y, 94, 128);
  pen.fillStyle = "#7d6a55";
  pen.fillRect(640, 210, 270, 16);
  const books = ["#3f6f8f", "#b5643c", "#d8c27a", "#5d7f57", "#8c4a5a", "#44566c", "#c98f5b"];
  books.forEach((colour, k) => {
    pen.fillStyle = colour;
    pen.fillRect(664 + 32 * k, 110 + ((k * 37) % 30), 24, 100 - ((k * 37) % 30));
  });
}

function shoulders(pen) {
  pen.fillStyle = shade(pen, 230, 520, 730, 720, "#35507c", "#1f3254");
  pen.beginPath();
  pen.moveTo(190, HEIGHT);
  pen.bezierCurveTo(200, 600, 270, 560, 400, 530);
  pen.lineTo(560, 530);
  pen.bezierCurveTo(690, 560, 760, 600, 770, HEIGHT);
  pen.fill();
  pen.fillStyle = shade(pen, 420, 0, 540, 0, "#d9a27f", "#b67c5b");
  pen.beginPath();
  pen.moveTo(425, 440);
  pen.lineTo(425, 528);
  pen.quadraticCurveTo(480, 600, 535, 528);
  pen.lineTo(535, 440);
  pen.fill();
}

function head(pen) {
  pen.fillStyle = shade(pen, 350, 150, 620, 400, "#4a3226", "#2b1c15");
  blob(pen, 480, 300, 142, 172);
  const skin = pen.createRadialGradient(450, 310, 30, 480, 330, 190);
  skin.addColorStop(0, "#f0c6a5");
  skin.addColorStop(1, "#c98f6c");
  pen.fillStyle = skin;
  blob(pen, 480, 345, 108, 142);
  pen.fillStyle = "#3a271d";
  pen.beginPath();
  pen.moveTo(368, 330);
  pen.bezierCurveTo(370, 120, 590, 120, 592, 330);
  pen.bezierCurveTo(560, 240, 450, 250, 368, 330);
  pen.fill();
}

function face(pen) {
  for (const x of [438, 522]) {
    pen.fillStyle = "#fbf6f0";
    blob(pen, x, 338, 17, 10);
    pen.fillStyle = "#3b2a22";
    blob(pen, x, 338, 9, 9);
    pen.fillRect(x - 21, 310, 42, 6);
  }
  pen.strokeStyle = "#a8694c";
  pen.lineWidth = 5;
  pen.lineCap = "round";
  curve(pen, [484, 345], [500, 388], [472, 392]);
  pen.strokeStyle = "#a54f4a";
  pen.lineWidth = 8;
  curve(pen, [440, 424], [480, 452], [520, 424]);
}

// Networks learn from photographs: without the grain of a camera they take flat areas for background.
function grain(pen) {
  const pixels = pen.getImageData(0, 0, WIDTH, HEIGHT);
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let k = 0; k < pixels.data.length; k++)
    if (k % 4 < 3) pixels.data[k] += 24 * (random() + random() + random() - 1.5);
  pen.putImageData(pixels, 0, 0);
}

function curve(pen, [x, y], bend, end) {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.quadraticCurveTo(...bend, ...end);
  pen.stroke();
}

function blob(pen, x, y, across, down) {
  pen.beginPath();
  pen.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
  pen.fill();
}

function shade(pen, x0, y0, x1, y1, from, to) {
  const gradient = pen.createLinearGradient(x0, y0, x1, y1);
  gradient.addColorStop(0, from);
  gradient.addColorStop(1, to);
  return gradient;
}
