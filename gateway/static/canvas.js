/** A canvas as large as its box in device pixels, and the theme's colours for drawing on it. */

const MOST_RATIO = 2; // device pixels a CSS pixel: finer is not seen on lines, and costs

export class Surface {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.colours = new Map();
    this.size = { width: 0, height: 0 };
    this.drawnFor = null;
    new ResizeObserver(([{ contentRect }]) => (this.size = contentRect)).observe(canvas);
  }

  /** Make it fit, and blank; the context is scaled to CSS pixels. Null while it has no room. */
  begin() {
    const { width, height } = this.size;
    if (width < 2 || height < 2) return null;
    const ratio = Math.min(MOST_RATIO, devicePixelRatio || 1);
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    return { context: this.context, width, height };
  }

  /** Copy what `draw` draws, which is drawn anew only when the key, the size or the theme is another: words are dear. */
  backdrop(key, draw) {
    const { width, height } = this.canvas;
    const whole = `${key} ${width} ${height}`;
    if (this.drawnFor !== whole) {
      this.behind = new OffscreenCanvas(width, height);
      const context = this.behind.getContext("2d");
      context.setTransform(this.context.getTransform());
      draw(context);
      this.drawnFor = whole;
    }
    this.context.save();
    this.context.resetTransform();
    this.context.drawImage(this.behind, 0, 0);
    this.context.restore();
  }

  /** The value of a custom property as a colour a canvas takes; looked up once until `forget`. */
  colour(name) {
    if (!this.colours.has(name)) this.colours.set(name, resolve(this.canvas, name));
    return this.colours.get(name);
  }

  /** The theme may have changed: look colours up again. */
  forget() {
    this.colours.clear();
    this.drawnFor = null;
  }
}

/** A custom property may hold light-dark(), which a canvas does not know: the element's own colour is what it came to. */
function resolve(node, name) {
  const before = node.style.color;
  node.style.color = `var(${name})`;
  const { color } = getComputedStyle(node);
  node.style.color = before;
  return color;
}
