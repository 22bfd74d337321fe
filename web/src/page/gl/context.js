// A thin layer over WebGL 2: programs by name, textures by size, one triangle that covers everything.

import * as shaders from "./shaders.js";

const FORMATS = {
  rgba8: ["RGBA8", "RGBA", "UNSIGNED_BYTE"],
  rgba16f: ["RGBA16F", "RGBA", "HALF_FLOAT"],
  rgba32f: ["RGBA32F", "RGBA", "FLOAT"],
  r8: ["R8", "RED", "UNSIGNED_BYTE"],
  r32f: ["R32F", "RED", "FLOAT"],
};

/** @typedef {{texture: WebGLTexture, frame: WebGLFramebuffer|null, width: number, height: number, format: string}} Plane */

export class Gl {
  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    this.programs = new Map();
    this.deepest = gl.getExtension("EXT_color_buffer_float")
      ? "rgba32f"
      : gl.getExtension("EXT_color_buffer_half_float")
        ? "rgba16f"
        : "rgba8";
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  }

  /**
   * A texture of this size, the old one where it fits.
   * @param {Plane|undefined} old
   * @returns {Plane}
   */
  plane(old, width, height, format, linear = false) {
    if (old?.width === width && old.height === height && old.format === format) return old;
    if (old) this.drop(old);
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl[FORMATS[format][0]], width, height);
    this.filter(linear ? gl.LINEAR : gl.NEAREST, linear ? gl.LINEAR : gl.NEAREST);
    return { texture, frame: null, width, height, format };
  }

  /** How the bound texture is sampled; the edge is repeated. */
  filter(smaller, larger) {
    const { gl } = this;
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, smaller);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, larger);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  drop(plane) {
    this.gl.deleteTexture(plane.texture);
    if (plane.frame) this.gl.deleteFramebuffer(plane.frame);
  }

  /** Numbers, `width · height` of the plane's type, into its texture. */
  fill(plane, numbers) {
    const { gl } = this;
    const [, layout, type] = FORMATS[plane.format];
    gl.bindTexture(gl.TEXTURE_2D, plane.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, plane.width, plane.height, gl[layout], gl[type], numbers);
  }

  /** A picture that the browser decoded into an rgba8 plane of its size. */
  fillPicture(plane, picture) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, plane.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  }

  /** A picture with smaller versions of itself, for a background. */
  mipmapped(picture) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    gl.generateMipmap(gl.TEXTURE_2D);
    this.filter(gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR);
    return { texture, frame: null, width: picture.width, height: picture.height, format: "rgba8" };
  }

  /**
   * Run a shader for each pixel of `target`, or of the canvas where it is null.
   * @param {keyof typeof shaders} name
   * @param {Plane|null} target
   * @param {Record<string, any>} inputs planes, numbers, booleans; {ints: […]} or {floats: […]} for vectors
   */
  run(name, target, inputs) {
    const { gl } = this;
    const program = this.program(name);
    gl.useProgram(program.program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target && this.frame(target));
    gl.viewport(0, 0, target?.width ?? gl.drawingBufferWidth, target?.height ?? gl.drawingBufferHeight);
    let unit = 0;
    for (const [key, { place, type }] of program.uniforms) {
      const value = inputs[key];
      if (type === gl.SAMPLER_2D) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value.texture);
        gl.uniform1i(place, unit++);
      } else if (type === gl.FLOAT) gl.uniform1f(place, value);
      else if (type === gl.INT || type === gl.BOOL) gl.uniform1i(place, Number(value));
      else if (value.ints) gl.uniform2iv(place, value.ints);
      else gl[`uniform${value.floats.length}fv`](place, value.floats);
    }
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.activeTexture(gl.TEXTURE0);
  }

  /** RGBA bytes of an rgba8 plane, its top row first. */
  read(plane) {
    const { gl } = this;
    const bytes = new Uint8ClampedArray(4 * plane.width * plane.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame(plane));
    gl.readPixels(0, 0, plane.width, plane.height, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(bytes.buffer));
    return bytes;
  }

  frame(plane) {
    const { gl } = this;
    if (!plane.frame) {
      plane.frame = gl.createFramebuffer();
      gl.bindFramebuffer(gl.FRAMEBUFFER, plane.frame);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, plane.texture, 0);
    }
    return plane.frame;
  }

  program(name) {
    if (!this.programs.has(name)) this.programs.set(name, built(this.gl, name));
    return this.programs.get(name);
  }
}

function built(gl, name) {
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, shaders.EVERYWHERE],
    [gl.FRAGMENT_SHADER, shaders[name]],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    const logs = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
    throw new Error(
      `the graphics driver does not take the shader ${name}: ${[...logs, gl.getProgramInfoLog(program)].join(" ").trim()}`,
    );
  }
  const uniforms = new Map();
  for (let k = 0; k < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); k++) {
    const info = gl.getActiveUniform(program, k);
    uniforms.set(info.name, { place: gl.getUniformLocation(program, info.name), type: info.type });
  }
  return { program, uniforms };
}
