// Line plots and heat maps over time, on a canvas. The page also shows each value as text: see dashboard.js.

const AXIS = { left: 58, right: 10, top: 8, bottom: 20 };
const FONT = "11px system-ui, sans-serif";

/** Formats a value with three significant digits and a unit of a fitting size. `null` means not measured. */
export function format(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  switch (unit) {
    case "ratio":
      return `${(value * 100).toFixed(value > 0 && value < 0.0995 ? 1 : 0)} %`;
    case "time":
      return scaled(value, [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]]);
    default:
      return scaled(value, [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]]);
  }
}

function scaled(value, units) {
  const size = Math.abs(value);
  const [factor, unit] = units.find(([factor]) => size >= factor * 0.9995) ?? units.at(-1);
  const number = value / factor;
  const digits = Number.isInteger(number) ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(number) + 1e-9)));
  return `${number.toFixed(Math.min(digits, 2))} ${unit}`.trimEnd();
}

/** Reads the colours of the current theme. Call this once per change of theme, because it costs a layout. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const colour = {};
  for (const name of ["panel", "grid", "text", "quiet", "one", "two", "three", "four", "stall", "stall-fill"]) {
    colour[name] = read(`--${name}`);
  }
  return { ...colour, heat: read("--heat").split(/\s*,\s*/) };
}

/** A scale: `y(value)` is a position on the canvas, and `ticks` are the values that get a line across the plot. */
function valueScale(low, high, box, unit, logarithmic) {
  const at = (share) => box.bottom - share * (box.bottom - box.top);
  if (logarithmic) {
    const from = Math.floor(Math.log10(Math.max(low, 1)));
    const to = Math.max(Math.ceil(Math.log10(Math.max(high, 1))), from + 1);
    const every = Math.ceil((to - from) / Math.floor((box.bottom - box.top) / 26));
    const ticks = [];
    for (let power = from; power <= to; power += every) ticks.push(10 ** power);
    const clip = (value) => Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1)) - from) / (to - from)));
    return { y: (value) => at(clip(value)), ticks };
  }
  const top = unit === "ratio" ? 1 : niceCeiling(high);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  return { y: (value) => at(Math.min(1, Math.max(0, value / top))), ticks };
}

function niceCeiling(value) {
  if (!(value > 0)) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 6, 8, 10].find((step) => step * power >= value);
}

/** The milliseconds between two labels of the time axis, so that they don't overlap. */
function timeStep(spanMs, width) {
  const labels = Math.max(1, Math.min(7, Math.floor(width / 56)));
  return ([10, 15, 30, 60, 120, 300].find((seconds) => spanMs / 1000 / seconds <= labels) ?? 600) * 1000;
}

function ago(ms) {
  if (ms === 0) return "now";
  const seconds = Math.round(ms / 1000);
  return `−${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/**
 * One plot on one canvas.
 *
 * `spec.kind` is "lines" or "heat". `spec.series` are `{ label, colour, value(sample) }`. The optional `spec.faint(sample)` are the
 * values of thin lines behind the others, one per worker. `spec.buckets(sample)` are the `{ start, end, count }` of a heat map.
 */
export class Plot {
  constructor(canvas, spec) {
    this.canvas = canvas;
    this.spec = spec;
  }

  /** The time under a position on the canvas. */
  timeAt(offsetX, view) {
    const width = this.canvas.clientWidth - AXIS.left - AXIS.right;
    return view.from + ((offsetX - AXIS.left) / width) * (view.to - view.from);
  }

  draw(view) {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0 || height === 0) return;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = FONT;
    const box = { left: AXIS.left, right: width - AXIS.right, top: AXIS.top, bottom: height - AXIS.bottom };
    const x = (time) => box.left + ((time - view.from) / (view.to - view.from)) * (box.right - box.left);
    const samples = view.samples.filter((sample) => sample.end >= view.from);
    const paint = { context, box, x, samples, view, colours: view.colours };
    const scale = this.spec.kind === "heat" ? this.heatScale(paint) : this.lineScale(paint);
    this.axes(paint, scale);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.clip();
    if (this.spec.kind === "heat") this.cells(paint, scale);
    this.stalls(paint);
    if (this.spec.kind === "lines") this.lines(paint, scale);
    this.cursor(paint);
    context.restore();
  }

  lineScale({ samples, box }) {
    let low = Infinity;
    let high = 0;
    for (const sample of samples) {
      const values = this.spec.series.map((series) => series.value(sample)).concat(this.spec.faint?.(sample) ?? []);
      for (const value of values) {
        if (value === null || value === undefined) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (this.spec.unit === "time" && high === 0) [low, high] = [1e3, 1e6];
    return valueScale(low, high, box, this.spec.unit, this.spec.logarithmic);
  }

  heatScale({ samples, box }) {
    let low = Infinity;
    let high = 0;
    for (const sample of samples) {
      for (const { start, end, count } of this.spec.buckets(sample) ?? []) {
        if (count === 0) continue;
        // A logarithmic axis can't show the zero where the first bucket starts, so the axis starts at a quarter of its end.
        low = Math.min(low, start || end / 4);
        high = Math.max(high, Number.isFinite(end) ? end : start * 2);
      }
    }
    if (low === Infinity) [low, high] = [1e3, 1e7];
    return valueScale(low, high, box, "time", true);
  }

  axes({ context, box, x, view, colours }, scale) {
    context.lineWidth = 1;
    context.strokeStyle = colours.grid;
    context.fillStyle = colours.quiet;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const tick of scale.ticks) {
      const y = Math.round(scale.y(tick)) + 0.5;
      line(context, box.left, y, box.right, y);
      context.fillText(format(tick, this.spec.unit), box.left - 7, y);
    }
    context.textBaseline = "alphabetic";
    const step = timeStep(view.to - view.from, box.right - box.left);
    for (let back = 0; back <= view.to - view.from; back += step) {
      const at = x(view.to - back);
      context.textAlign = back === 0 ? "right" : at < box.left + 24 ? "left" : "center";
      line(context, Math.round(at) + 0.5, box.bottom, Math.round(at) + 0.5, box.bottom + 4);
      context.fillText(ago(back), at, box.bottom + 15);
    }
  }

  lines({ context, x, samples, colours }, scale) {
    const faint = this.spec.faint ? Math.max(0, ...samples.map((sample) => this.spec.faint(sample).length)) : 0;
    context.globalAlpha = 0.3;
    for (let i = 0; i < faint && faint > 1; i += 1) {
      this.path(context, x, samples, scale, (sample) => this.spec.faint(sample)[i], colours.quiet, 1);
    }
    context.globalAlpha = 1;
    for (const { colour, value, dash } of this.spec.series) {
      context.setLineDash(dash ?? []);
      this.path(context, x, samples, scale, value, colours[colour], 1.8);
    }
    context.setLineDash([]);
  }

  path(context, x, samples, scale, value, colour, width) {
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    let before = null;
    samples.forEach((sample, i) => {
      const here = value(sample);
      const known = here !== null && here !== undefined;
      // A line joins two consecutive samples only. A sample without a neighbour is a dot.
      const joined = before !== null && sample.start === before;
      if (known && joined) context.lineTo(x(sample.end), scale.y(here));
      else if (known) {
        context.moveTo(x(sample.end), scale.y(here));
        const after = samples[i + 1] && value(samples[i + 1]);
        if (after === null || after === undefined) context.fillRect(x(sample.end) - 1.5, scale.y(here) - 1.5, 3, 3);
      }
      before = known ? sample.end : null;
    });
    context.stroke();
  }

  cells({ context, x, samples, colours }, scale) {
    let most = 1;
    for (const sample of samples) {
      for (const { count } of this.spec.buckets(sample) ?? []) most = Math.max(most, count);
    }
    this.most = most;
    for (const sample of samples) {
      const left = Math.floor(x(sample.start));
      const width = Math.max(1, Math.ceil(x(sample.end)) - left);
      for (const { start, end, count } of this.spec.buckets(sample) ?? []) {
        if (count === 0) continue;
        const bottom = scale.y(start);
        const top = scale.y(Number.isFinite(end) ? end : start * 2);
        const level = most === 1 ? 1 : Math.log(count) / Math.log(most);
        context.fillStyle = colours.heat[Math.min(colours.heat.length - 1, 1 + Math.floor(level * (colours.heat.length - 1)))];
        context.fillRect(left, Math.floor(top), width, Math.max(2, Math.ceil(bottom) - Math.floor(top)));
      }
    }
  }

  stalls({ context, box, x, view, colours }) {
    // Whole pixels, and at least three, so that a short stall is visible in a long time span.
    const bands = view.stalls.map(({ start, end }) => {
      const left = Math.round(x(start));
      return { left, width: Math.max(3, Math.round(x(end)) - left) };
    });
    context.fillStyle = colours["stall-fill"];
    for (const { left, width } of bands) context.fillRect(left, box.top, width, box.bottom - box.top);
    context.fillStyle = colours.stall;
    for (const { left, width } of bands) {
      context.fillRect(left, box.top, width, 6);
      context.fillRect(left, box.top, 1, box.bottom - box.top);
    }
  }

  cursor({ context, box, x, view, colours }) {
    if (view.cursor === null) return;
    context.strokeStyle = colours.text;
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    const at = Math.round(x(view.cursor.end)) + 0.5;
    line(context, at, box.top, at, box.bottom);
    context.setLineDash([]);
  }
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
