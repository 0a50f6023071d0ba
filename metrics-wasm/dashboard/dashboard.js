// The dashboard: reads snapshots from a source, keeps the last ten minutes, and shows them as plots and as text.

import { Plot, format, palette } from "./plots.js";
import { toSample } from "./interval.js";
import { openSource } from "./sources.js";
import { STALL_MS, Tables } from "./tables.js";

/** How long samples are kept. */
const KEEP_MS = 10 * 60 * 1000;
/** The shortest time span of a plot. */
const LEAST_MS = 20 * 1000;

const quantiles = (of) => [
  { label: "p50", colour: "three", value: (sample) => of(sample)?.p50 ?? null },
  { label: "p90", colour: "one", value: (sample) => of(sample)?.p90 ?? null },
  { label: "p99", colour: "two", value: (sample) => of(sample)?.p99 ?? null },
];

const PLOTS = [
  {
    id: "busy", title: "Busy ratio", kind: "lines", unit: "ratio",
    series: [
      { label: "all workers", colour: "one", value: (sample) => sample.busy },
      { label: "event loop", colour: "two", value: (sample) => sample.loopBusy, dash: [5, 3], optional: true },
    ],
    faint: (sample) => sample.workers.map((worker) => worker.busy),
  },
  {
    id: "polls", title: "Polls per second", kind: "lines", unit: "rate",
    series: [{ label: "polls/s", colour: "one", value: (sample) => sample.polls }],
  },
  {
    id: "heat", title: "Distribution of poll time", kind: "heat", unit: "time", wide: true,
    series: [
      { label: "sampled polls", unit: "count", value: (sample) => sample.pollTime?.count ?? null },
      { label: "mean", value: (sample) => sample.pollTime?.mean ?? null },
      { label: "longest (at most)", value: (sample) => sample.pollTime?.most ?? null },
    ],
    buckets: (sample) => sample.pollTime?.buckets,
  },
  {
    id: "poll-time", title: "Poll time", kind: "lines", unit: "time", logarithmic: true,
    series: quantiles((sample) => sample.pollTime),
  },
  {
    id: "latency", title: "Schedule latency", kind: "lines", unit: "time", logarithmic: true,
    series: quantiles((sample) => sample.latency),
  },
  {
    id: "queue", title: "Queue depth", kind: "lines", unit: "count",
    series: [
      { label: "local", colour: "one", value: (sample) => sample.localQueue },
      { label: "global", colour: "two", value: (sample) => sample.globalQueue, optional: true },
      { label: "blocking", colour: "three", value: (sample) => sample.blockingQueue, optional: true },
    ],
  },
  {
    id: "lag", title: "Loop lag", kind: "lines", unit: "time", logarithmic: true,
    series: quantiles((sample) => sample.lag),
    // Absent until a probe runs.
    optional: true,
  },
  {
    id: "wake", title: "Wake latency", kind: "lines", unit: "time", logarithmic: true,
    series: quantiles((sample) => sample.wake),
    optional: true,
  },
];

const TILES = [
  ["Busy", "ratio", (sample) => sample.busy],
  ["Polls/s", "rate", (sample) => sample.polls],
  ["Poll time p50", "time", (sample) => sample.pollTime?.p50],
  ["Poll time p99", "time", (sample) => sample.pollTime?.p99],
  ["Latency p99", "time", (sample) => sample.latency?.p99],
  ["Loop lag p99", "time", (sample) => sample.lag?.p99],
  ["Alive tasks", "count", (sample) => sample.alive],
  ["Total polls", "count", (sample) => sample.pollCount],
];

/** Tiles of what few runtimes measure. Each is hidden until there is a value. */
const OPTIONAL_TILES = [
  ["Overloaded", "flag", (sample) => sample.overload],
  ["CPU throttled per second", "time", (sample) => sample.throttled],
];

const ALL_TILES = [...TILES, ...OPTIONAL_TILES];

const byId = (id) => document.getElementById(id);

class Dashboard {
  constructor() {
    this.samples = [];
    this.stalls = [];
    this.listed = 0;
    this.cursor = null;
    this.paused = false;
    this.span = Number(byId("span").value) * 1000;
    this.figures = PLOTS.map((spec) => this.figure(spec));
    this.tiles = ALL_TILES.map(([label]) => definition(byId("tiles"), label));
    this.tables = new Tables();
    this.controls();
  }

  /** One plot: heading, canvas and its figures as text. */
  figure(spec) {
    const figure = element("figure", { className: spec.wide ? "wide" : "", id: `plot-${spec.id}` });
    const caption = figure.appendChild(element("figcaption"));
    caption.append(element("h2", { textContent: spec.title }));
    const at = caption.appendChild(element("span", { className: "at", textContent: "" }));
    const canvas = figure.appendChild(element("canvas", { tabIndex: 0 }));
    canvas.setAttribute("role", "img");
    const list = figure.appendChild(element("dl", { className: "figures" }));
    const values = spec.series.map((series) => {
      const value = definition(list, series.label);
      if (series.colour) {
        value.previousElementSibling.dataset.mark = "";
        value.parentElement.style.setProperty("--mark", `var(--${series.colour})`);
      }
      return value;
    });
    if (spec.kind === "heat") {
      const key = definition(list, "polls per cell: 1 to");
      key.previousElementSibling.append(element("span", { className: "scale" }));
      values.push(key);
    }
    byId("plots").append(figure);
    const plot = new Plot(canvas, spec);
    canvas.addEventListener("pointermove", (event) => this.point(plot.timeAt(event.offsetX, this.view())));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
    return { spec, plot, figure, canvas, at, values };
  }

  controls() {
    const pause = byId("pause");
    const toggle = () => {
      this.paused = !this.paused;
      pause.setAttribute("aria-pressed", String(this.paused));
      pause.textContent = this.paused ? "Resume" : "Pause";
      this.status(this.state);
      this.draw();
    };
    pause.addEventListener("click", toggle);
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
      if (event.key.toLowerCase() === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) toggle();
    });
    byId("span").addEventListener("change", (event) => {
      this.span = Number(event.target.value) * 1000;
      this.draw();
    });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const theme = byId("theme");
    const paint = () => {
      const wish = theme.value === "auto" ? (dark.matches ? "dark" : "light") : theme.value;
      document.documentElement.dataset.theme = wish;
      this.colours = palette();
      this.draw();
    };
    theme.addEventListener("change", paint);
    dark.addEventListener("change", paint);
    paint();
  }

  /** Arrow keys move the cursor of all plots from sample to sample. */
  key(event) {
    const shown = this.shown();
    if (shown.length === 0) return;
    const here = this.cursor ? shown.indexOf(this.cursor) : shown.length;
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: shown.length - 1 }[event.key];
    if (event.key === "Escape") this.cursor = null;
    else if (to === undefined) return;
    else this.cursor = shown[Math.min(shown.length - 1, Math.max(0, to))];
    event.preventDefault();
    this.draw();
  }

  point(time) {
    this.cursor = time === null ? null : (this.shown().find((sample) => sample.end >= time) ?? null);
    this.draw();
  }

  shown() {
    const { from } = this.view();
    return this.samples.filter((sample) => sample.end >= from);
  }

  view() {
    const to = this.samples.at(-1)?.end ?? Date.now();
    // Until there are enough samples, plots show the time since the first one.
    const known = Math.max(LEAST_MS, to - (this.samples[0]?.start ?? to));
    const from = to - Math.min(this.span, known);
    return {
      samples: this.samples, from, to, cursor: this.cursor, stalls: this.stalls, colours: this.colours,
    };
  }

  add(sample) {
    if (this.paused) return;
    this.samples.push(sample);
    const oldest = sample.end - KEEP_MS;
    while (this.samples[0].end < oldest) this.samples.shift();
    this.stalls = this.stalls.filter((stall) => stall.end >= oldest);
    for (const worker of sample.workers) {
      // The live record shows a long poll before it ends.
      if (worker.heldMs >= STALL_MS) this.stall({
        key: `${worker.index} ${worker.polled}`, start: sample.end - worker.heldMs, end: sample.end,
        what: `worker ${worker.index}${worker.spawn_location ? `, polling ${worker.spawn_location}` : ""}`,
      });
    }
    this.draw();
    this.tables.fill(sample);
    this.countStalls();
  }

  /** Marks a stall on every plot and lists it. A stall with a known key replaces the end of the earlier one. */
  stall({ key, start, end, what }) {
    const known = this.stalls.find((stall) => stall.key === key);
    const stall = known ?? { key, start, item: element("li") };
    stall.end = end;
    const time = new Date(start).toLocaleTimeString([], { hour12: false });
    stall.item.replaceChildren(element("strong", { textContent: format((end - stall.start) * 1e6, "time") }), ` at ${time}: ${what}`);
    if (!known) {
      this.stalls.push(stall);
      byId("stalls").prepend(stall.item);
      while (byId("stalls").children.length > 100) byId("stalls").lastChild.remove();
      this.listed += 1;
      this.countStalls();
    }
    this.draw();
  }

  /** Shows how many stalls the runtime's watchdog has counted, or, without a watchdog, how many this page has listed. */
  countStalls() {
    const count = this.samples.at(-1)?.stalls ?? this.listed;
    byId("stall-count").textContent = String(count);
    byId("no-stalls").hidden = count > 0;
  }

  /** Redraws in the next frame, however often it is called before. */
  draw() {
    if (this.drawing || !this.figures) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.paint();
    });
  }

  paint() {
    const view = this.view();
    const sample = this.cursor ?? this.samples.at(-1);
    for (const { spec, plot, figure, canvas, at, values } of this.figures) {
      const said = spec.series.map((series, i) => {
        const value = sample ? series.value(sample) : null;
        const text = format(value, series.unit ?? spec.unit);
        if (values[i].textContent !== text) values[i].textContent = text;
        values[i].parentElement.hidden = Boolean(series.optional) && (value === null || value === undefined);
        return `${series.label} ${text}`;
      });
      if (spec.kind === "heat") values.at(-1).textContent = format(plot.most ?? 1, "count");
      const measured = (one) => spec.series.some((series) => series.value(one) !== null);
      figure.hidden = Boolean(spec.optional && sample && !this.samples.some(measured));
      at.textContent = sample && this.cursor ? new Date(sample.end).toLocaleTimeString([], { hour12: false }) : "";
      canvas.setAttribute("aria-label", `${spec.title}${this.cursor ? ` at ${at.textContent}` : ", now"}: ${said.join(", ")}`);
      plot.draw(view);
    }
    const latest = this.samples.at(-1);
    ALL_TILES.forEach(([, unit, value], i) => {
      const shown = latest ? (value(latest) ?? null) : null;
      const known = unit === "flag" ? (shown ? "yes" : "no") : format(shown, unit);
      const text = shown === null ? "not measured" : known;
      this.tiles[i].parentElement.hidden = i >= TILES.length && shown === null;
      this.tiles[i].textContent = text;
      this.tiles[i].classList.toggle("none", shown === null);
    });
  }

  producer(text) {
    byId("producer").textContent = text;
  }

  status(state) {
    this.state = state;
    const status = byId("status");
    const text = this.paused ? "Paused" : { live: "Live", lost: "Source lost, retrying", waiting: "Waiting" }[state];
    status.dataset.state = this.paused ? "paused" : state;
    if (status.textContent !== text) status.textContent = text;
  }
}

function element(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}

function definition(list, label) {
  const pair = list.appendChild(element("div"));
  pair.append(element("dt", { textContent: label }));
  return pair.appendChild(element("dd", { textContent: "–" }));
}

/** Takes snapshots until the page is closed. Two consecutive snapshots of one runtime make one sample. */
async function run() {
  const dashboard = new Dashboard();
  dashboard.status("waiting");
  const source = await openSource(dashboard);
  let earlier = null;
  for (;;) {
    try {
      const snapshot = await source.snapshot();
      const later = { snapshot, at: Date.now() };
      dashboard.status("live");
      dashboard.producer(source.describe(snapshot));
      const sample = earlier && toSample(earlier, later);
      if (sample) dashboard.add(sample);
      earlier = later;
    } catch (error) {
      dashboard.status("lost");
      console.warn("no snapshot:", error);
      earlier = null;
    }
    await new Promise((done) => setTimeout(done, source.intervalMs));
  }
}

run();
