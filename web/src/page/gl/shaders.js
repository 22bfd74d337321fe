// Row 0 of every texture is the top of the picture; only the last pass, on to the screen, turns it over.

export const EVERYWHERE = `#version 300 es
void main() { gl_Position = vec4(vec2[](vec2(-1, -1), vec2(3, -1), vec2(-1, 3))[gl_VertexID], 0, 1); }`;

const HEAD = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;`;

// cv2's INTER_LINEAR: half-pixel centres, the edge repeated.
const BILINEAR = `
vec4 bilinear(sampler2D plane, ivec2 at, ivec2 size) {
  ivec2 have = textureSize(plane, 0);
  vec2 from = (vec2(at) + 0.5) * vec2(have) / vec2(size) - 0.5;
  ivec2 low = ivec2(floor(from));
  vec2 share = from - vec2(low);
  ivec2 a = clamp(low, ivec2(0), have - 1), b = clamp(low + 1, ivec2(0), have - 1);
  vec4 top = mix(texelFetch(plane, a, 0), texelFetch(plane, ivec2(b.x, a.y), 0), share.x);
  vec4 bottom = mix(texelFetch(plane, ivec2(a.x, b.y), 0), texelFetch(plane, b, 0), share.x);
  return mix(top, bottom, share.y);
}`;

// The exact mean over the pixel's square, for frames that are smaller than the mask.
const AREA = `
vec4 area(sampler2D plane, ivec2 at, ivec2 size) {
  vec2 step = vec2(textureSize(plane, 0)) / vec2(size), low = vec2(at) * step, high = low + step;
  vec4 sum = vec4(0);
  for (int y = int(low.y); float(y) < high.y - 1e-4; y++)
    for (int x = int(low.x); float(x) < high.x - 1e-4; x++) {
      vec2 part = min(high, vec2(x + 1, y + 1)) - max(low, vec2(x, y));
      sum += texelFetch(plane, ivec2(x, y), 0) * part.x * part.y;
    }
  return sum / (step.x * step.y);
}`;

/** slope · luma + offset, rounded, through the table of bounds. Luma is cv2's COLOR_BGR2GRAY to the bit. */
export const ALPHA = `${HEAD}
uniform sampler2D frame, slope, offset, table;
uniform ivec2 size;
out vec4 result;
${BILINEAR}${AREA}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  ivec3 c = ivec3(texelFetch(frame, at, 0).rgb * 255.0 + 0.5);
  float luma = float((9798 * c.r + 19235 * c.g + 3735 * c.b + 16384) >> 15);
  bool smaller = all(lessThan(size, textureSize(slope, 0)));
  float s = (smaller ? area(slope, at, size) : bilinear(slope, at, size)).r;
  float o = (smaller ? area(offset, at, size) : bilinear(offset, at, size)).r;
  int alpha = int(clamp(floor(s * luma + o + 0.5), 0.0, 255.0));
  result = vec4(texelFetch(table, ivec2(alpha, 0), 0).r, 0, 0, 1);
}`;

/** The mean of each square of \`factor\` pixels: colour of the frame, and alpha in the fourth channel. */
export const REDUCE = `${HEAD}
uniform sampler2D frame, alpha;
uniform int factor;
out vec4 result;
void main() {
  ivec2 start = ivec2(gl_FragCoord.xy) * factor, end = min(start + factor, textureSize(frame, 0));
  vec4 sum = vec4(0);
  for (int y = start.y; y < end.y; y++)
    for (int x = start.x; x < end.x; x++)
      sum += vec4(texelFetch(frame, ivec2(x, y), 0).rgb, texelFetch(alpha, ivec2(x, y), 0).r);
  result = sum / float((end.x - start.x) * (end.y - start.y));
}`;

/** How much each pixel counts as background (segruntime.blur): the person, one pixel larger than the mask, does not. */
export const SHARE = `${HEAD}
uniform sampler2D small;
uniform float least;
out vec4 result;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(small, 0) - 1;
  vec4 here = texelFetch(small, at, 0);
  float larger = 0.0;
  for (int y = -1; y <= 1; y++)
    for (int x = -1; x <= 1; x++)
      larger = max(larger, texelFetch(small, clamp(at + ivec2(x, y), ivec2(0), last), 0).a);
  float share = clamp((16.0 - larger * 255.0) / 14.0, 0.0, 1.0);
  share = max(share, max(least, 1e-5 * exp(-here.a * 255.0 / 6.0)));
  result = vec4(here.rgb * share, share);
}`;

/** Half the size; a pixel of the half is complete as soon as one of its four is, and the last one whatever it has. */
export const PULL = `${HEAD}
uniform sampler2D fine;
out vec4 result;
${AREA}
void main() {
  ivec2 size = (textureSize(fine, 0) + 1) / 2;
  vec4 mean = area(fine, ivec2(gl_FragCoord.xy), size);
  result = mean / max(mean.a, size == ivec2(1) ? 1e-30 : 0.25);
}`;

/** What a pixel lacks comes from the coarser picture. */
export const PUSH = `${HEAD}
uniform sampler2D fine, coarse;
out vec4 result;
${BILINEAR}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 here = texelFetch(fine, at, 0);
  result = here + bilinear(coarse, at, textureSize(fine, 0)) * (1.0 - here.a);
}`;

export const GAUSS = `${HEAD}
uniform sampler2D plane;
uniform ivec2 direction;
uniform float sigma;
out vec4 result;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(plane, 0) - 1;
  int radius = int(ceil(3.0 * sigma));
  vec4 sum = vec4(0);
  float total = 0.0;
  for (int k = -radius; k <= radius; k++) {
    float weight = exp(-float(k * k) / (2.0 * sigma * sigma));
    sum += weight * texelFetch(plane, clamp(at + k * direction, ivec2(0), last), 0);
    total += weight;
  }
  result = sum / total;
}`;

/** The person over the background; \`kind\`: what is behind, see compositor.js. */
export const COMPOSITE = `${HEAD}
uniform sampler2D frame, alpha, behind, rim;
uniform int kind;
uniform vec3 colour;
uniform vec4 cover;
uniform float split, wrap, light;
uniform bool mirror, upsidedown;
out vec4 result;
vec3 board(ivec2 at) { return vec3(((at.x + at.y) & 1) == 0 ? 1.0 : 0.8); }
void main() {
  ivec2 size = textureSize(frame, 0), at = ivec2(gl_FragCoord.xy);
  if (upsidedown) at.y = size.y - 1 - at.y;
  ivec2 from = mirror ? ivec2(size.x - 1 - at.x, at.y) : at;
  vec3 person = texelFetch(frame, from, 0).rgb;
  float weight = texelFetch(alpha, from, 0).r;
  vec2 place = (vec2(at) + 0.5) / vec2(size), source = (vec2(from) + 0.5) / vec2(size);
  if (kind == 0 || float(at.x) < split * float(size.x)) { result = vec4(person, 1); return; }
  if (kind == 4) { result = vec4(person, weight); return; }
  vec2 placed = place * cover.xy + cover.zw;
  vec3 under = kind == 1 ? colour
    : kind == 2 ? textureGrad(behind, placed, vec2(cover.x / float(size.x), 0), vec2(0, cover.y / float(size.y))).rgb
    : kind == 3 ? board(at * 40 / max(size.x, size.y))
    : textureLod(behind, source, 0.0).rgb;
  if (wrap > 0.0 && kind != 3) {
    vec3 glow = kind == 2 ? textureLod(behind, placed, light).rgb : under;
    person = mix(person, glow, wrap * weight * (1.0 - textureLod(rim, source, 0.0).a));
  }
  result = vec4(under + (person - under) * weight, 1);
}`;
