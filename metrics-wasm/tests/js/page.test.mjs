// The dashboard in headless Chromium, with the runtime in its own page and with a server's snapshots.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE, launch, serve, xtask } from "./tools.mjs";

const ARTEFACTS = process.env.ARTEFACTS;
const DASHBOARD = fileURLToPath(new URL("../../dashboard", import.meta.url));

let browser;
let demo;

before(async () => {
  await mkdir(ARTEFACTS, { recursive: true });
  demo = await xtask("wasm-demo", "--port", "0");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  demo?.close();
});

async function newPage(options) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(PATIENCE);
  return page;
}

/** Opens a page. `done` closes it and asserts that it reported no error and requested nothing from another origin. */
async function open(url, options = {}) {
  const page = await newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("request", (request) => request.url().startsWith(new URL(url).origin) || errors.push(`requested ${request.url()}`));
  await page.goto(url);
  await page.waitForSelector("#status[data-state=live]");
  return { page, done: async () => (await page.close(), assert.deepEqual(errors, [])) };
}

const slide = (page, id, value) =>
  page.locator(`#${id}`).evaluate((input, value) => {
    input.value = value;
    input.dispatchEvent(new Event("input"));
  }, String(value));

const text = (page, selector) => page.locator(selector).first().innerText();

/** Waits until every value of a plot is a number, in its list and in its label for screen readers. */
const figures = (page, plot) =>
  page.waitForFunction((plot) => {
    const values = [...document.querySelectorAll(`#plot-${plot} dl > :not([hidden]) dd`)];
    const label = document.querySelector(`#plot-${plot} canvas`).getAttribute("aria-label");
    return values.length > 0 && values.every((value) => /\d/.test(value.textContent)) && /, now: .*\d/.test(label);
  }, plot);

/** Makes each plot keep what it drew last, in `globalThis.drawn`. */
const rememberDrawn = (page) =>
  page.evaluate(async () => {
    const { Plot } = await import("/plots.js");
    const { draw } = Plot.prototype;
    globalThis.drawn = {};
    Plot.prototype.draw = function (view) {
      draw.call(this, view);
      globalThis.drawn[this.spec.id] = { plot: this, view };
    };
  });

/** Waits until a plot has a vertical line in the colour of stalls where the stall began. */
const stallDrawn = (page, id, { start }) =>
  page.waitForFunction(
    ({ id, start }) => {
      if (!globalThis.drawn[id]) return false;
      const { plot, view } = globalThis.drawn[id];
      const { canvas } = plot;
      const left = plot.timeAt(0, view);
      const at = Math.round((performance.timeOrigin + start - left) / (plot.timeAt(1, view) - left));
      const probe = document.createElement("canvas").getContext("2d");
      probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--stall").trim();
      probe.fillRect(0, 0, 1, 1);
      const colour = probe.getImageData(0, 0, 1, 1).data.join();
      const column = (x) => {
        const { data } = canvas.getContext("2d").getImageData(x * devicePixelRatio, 0, 1, canvas.height);
        return Array.from({ length: canvas.height }, (_, y) => data.slice(4 * y, 4 * y + 4).join()).filter((pixel) => pixel === colour).length;
      };
      // A line of values may cross it in another colour.
      return [at - 1, at, at + 1].some((x) => column(x) >= canvas.height / 2);
    },
    { id, start },
  );

test("tasks are counted exactly, and a blocked main thread is reported and drawn", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`);
  await rememberDrawn(page);
  await page.selectOption("#span", "600");
  await slide(page, "tasks", 30);
  await slide(page, "work", 400);
  await page.waitForFunction(() => globalThis.workload.polls > 200n);

  // A busy machine stalls the page too. Only the stall that the button caused counts.
  const before = await page.evaluate(() => {
    const stalls = [];
    globalThis.metrics.onStall(100, (stall) => stalls.push({ ...stall, reportedAt: performance.now() }));
    const press = {};
    const button = document.getElementById("block");
    button.addEventListener("click", () => (press.start = performance.now()), { capture: true });
    // Added after the page's own listener, so called after it.
    button.addEventListener("click", () => (press.end = performance.now()));
    globalThis.over = () => stalls.filter(({ start, duration }) => start < press.end && start + duration > press.start);
    globalThis.probes = () => globalThis.metrics.snapshot().loop_lag.count;
    return performance.now();
  });
  await page.click("#block");
  await page.waitForFunction(() => globalThis.over().length > 0);
  const probes = await page.evaluate(() => globalThis.probes());
  await page.waitForFunction((probes) => globalThis.probes() >= probes + 2n, probes);
  await page.waitForFunction(() => globalThis.metrics.quantile("long_task_time", 1)?.upper >= 199_000_000n);
  const [stall, ...more] = await page.evaluate(() => globalThis.over());
  assert.deepEqual(more, [], "a stall is reported once");
  // From the browser, in whole milliseconds, unless its report came more than a period of the timer later.
  const [source, least, earliest] = stall.source === "probe" ? ["probe", 149, 0] : ["longtask", 199, before - 1];
  assert.equal(stall.source, source);
  assert.ok(stall.duration >= least && stall.start >= earliest && stall.start + stall.duration <= stall.reportedAt, JSON.stringify({ stall, before }));
  const listed = await page.locator("#stalls li").allInnerTexts();
  const lengths = listed.map((item) => /^([\d.]+) (ms|s) at /.exec(item)).map(([, number, unit]) => number * (unit === "s" ? 1000 : 1));
  // Three digits are shown.
  assert.ok(lengths.some((shown) => Math.abs(shown - stall.duration) <= stall.duration / 100), `${stall.duration} in ${listed}`);
  for (const plot of ["polls", "lag"]) await stallDrawn(page, plot, stall);

  // No poll runs during this call, so both counts are of one moment.
  const { counted, done: polls, samples, alive, running } = await page.evaluate(() => {
    const { total, num_alive_tasks: alive } = globalThis.metrics.snapshot();
    const { workload } = globalThis;
    return {
      counted: total.numbers.poll_count,
      samples: total.poll_time.histogram.count,
      done: workload.polls,
      alive,
      running: BigInt(workload.running),
    };
  });
  assert.ok(polls > 200n);
  assert.equal(counted, polls, "the polls of the workload are counted");
  assert.equal(samples, polls);
  assert.equal(alive, running);
  assert.equal(alive, 30n);

  await slide(page, "tasks", 5);
  await page.waitForFunction(() => globalThis.workload.running === 5);
  assert.equal(await page.evaluate(() => globalThis.metrics.snapshot().num_alive_tasks), 5n);
  await page.screenshot({ path: join(ARTEFACTS, "dashboard-wasm.png"), fullPage: true });
  await done();
});

test("a long poll is reported with the spawn location of its task", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`);
  // Without other tasks, every poll is one of the blocking task.
  await slide(page, "tasks", 0);
  await page.waitForFunction(() => globalThis.workload.running === 0);
  const start = await page.evaluate(() => {
    globalThis.workload.blockInPoll(250);
    return performance.now();
  });
  const item = page.locator("#stalls li", { hasText: "one poll" });
  await item.waitFor();
  const lasted = await page.evaluate((start) => performance.now() - start, start);
  const listed = await item.innerText();
  const [, number, unit] = /^([\d.]+) (ms|s) at .*one poll of a task spawned at .*demo\.rs:\d+/.exec(listed) ?? assert.fail(listed);
  const shown = number * (unit === "s" ? 1000 : 1);
  // Three digits are shown.
  assert.ok(shown >= 250 && shown <= lasted * 1.01, `${listed}, within ${lasted} ms`);
  await done();
});

test("every value is shown as text, and the keyboard reads plots", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`);
  await slide(page, "tasks", 20);
  for (const plot of ["busy", "polls", "heat", "poll-time", "latency", "queue", "lag"]) await figures(page, plot);
  const label = (wanted) => page.waitForFunction((wanted) => new RegExp(wanted).test(document.querySelector("#plot-polls canvas").getAttribute("aria-label")), wanted);
  await page.locator("#plot-polls canvas").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await label(" at \\d+:\\d\\d:\\d\\d");
  await page.keyboard.press("Escape");
  await label(", now");
  await page.keyboard.press("p");
  assert.equal(await text(page, "#status"), "Paused");
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  await done();
});

/** The violations that axe finds, by rule. */
async function violations(page) {
  // By the protocol, so that the page's Content Security Policy does not apply.
  await page.evaluate(await readFile(join(process.env.NPM_PACKAGES, "axe-core/node_modules/axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`);
}

test("axe finds no barrier, in the light and in the dark theme", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, done } = await open(`${demo.url}/?source=wasm`, { colorScheme });
    for (const plot of ["busy", "polls", "heat", "poll-time", "latency", "queue", "lag"]) await figures(page, plot);
    await page.evaluate(() => globalThis.workload.blockInPoll(250));
    await page.locator("#stalls li").first().waitFor();
    assert.deepEqual(await violations(page), [], colorScheme);
    await done();
  }
});

test("the page fits a phone and has a dark theme", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`, { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  for (const plot of ["busy", "polls", "heat", "poll-time", "latency", "queue", "lag"]) await figures(page, plot);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} pixels wide`);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(ground, "rgb(15, 18, 23)");
  await page.selectOption("#theme", "light");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(244, 245, 247)");
  await page.selectOption("#theme", "auto");
  await page.screenshot({ path: join(ARTEFACTS, "dashboard-phone.png"), fullPage: true });
  await done();
});

test("the README's picture shows plots and stalls", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`, { viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await rememberDrawn(page);
  const samples = (count) => page.waitForFunction((count) => globalThis.drawn.polls?.view.samples.length >= count, count);
  await slide(page, "work", 300);
  await samples(10);
  await slide(page, "tasks", 120);
  await samples(18);
  await page.click("#block");
  await samples(26);
  await page.evaluate(() => globalThis.workload.blockInPoll(150));
  await slide(page, "tasks", 60);
  await samples(42);
  for (const plot of ["busy", "polls", "heat", "poll-time", "latency", "queue", "lag"]) await figures(page, plot);
  await page.locator("#stalls li", { hasText: "one poll" }).first().waitFor();
  await page.mouse.move(0, 0);
  const { y, height } = await page.locator("#plot-heat").boundingBox();
  const clip = { x: 0, y: 0, width: 1280, height: Math.ceil(y + height) + 12 };
  const picture = await page.screenshot({ path: process.env.PICTURE, fullPage: true, clip });
  assert.ok(picture.length <= 150_000, `${picture.length} bytes`);
  await done();
});

/** Waits until the table has `count` rows that match `row`. */
const workers = (page, count, row) =>
  page.waitForFunction(
    ([count, row]) => {
      const rows = [...document.querySelectorAll("#workers tbody tr")];
      return rows.length === count && rows.every(({ innerText }) => new RegExp(row).test(innerText));
    },
    [count, row.source],
  );

/** Answers with the snapshot of a server with so many workers that is one second later at each request, and changed by `change`. */
function server(count = 2, change = () => {}) {
  const recorded = readFile(new URL("snapshot.json", import.meta.url), "utf8").then(JSON.parse);
  let asked = 0;
  return async () => {
    const snapshot = structuredClone(await recorded);
    asked += 1;
    snapshot.poll_stall_count = "8";
    snapshot.uptime = String(BigInt(snapshot.uptime) + BigInt(asked) * 1_000_000_000n);
    snapshot.workers = Array.from({ length: count }, (_, index) => {
      const worker = structuredClone(snapshot.workers[index % 2]);
      return { ...worker, worker: index, thread_name: `worker-${index}` };
    });
    const grow = ({ numbers }, busyMs) => {
      numbers.poll_count = String(BigInt(numbers.poll_count) + 1000n * BigInt(asked));
      numbers.busy_duration_total = String(BigInt(numbers.busy_duration_total) + BigInt(busyMs * 1_000_000 * asked));
    };
    const location = (number, name, share) => ({
      kind: "location", location: number, name, spawned: "3", ended: "1", poll_count: String(100 * asked),
      poll_time: String(BigInt(share) * 1_000_000n * BigInt(asked)), longest_poll: "62000000", poll_time_buckets: Array(12).fill("0"),
      measured_latencies: "0", schedule_latency: null, longest_schedule_latency: null,
    });
    snapshot.locations = [location(1, "quick.rs:1", 25), location(2, "hog.rs:2", 200), location(3, "idle.rs:3", 0)];
    snapshot.locations[2].poll_count = "7";
    snapshot.locations.push({ ...location(4, "lost.rs:4", 0), poll_count: "2", waiting: "2", unwakeable: "1" });
    snapshot.blame = {
      span: "1000000000", is_sampled: false,
      rows: [{ victim: "quick.rs:1", culprit: { polls: "hog.rs:2" }, waited: "62000000" }, { victim: "", culprit: "not_recorded", waited: "1000000" }],
    };
    grow(snapshot.total, 250);
    // With more workers, each has another busy time, in another order than the workers'.
    snapshot.workers.forEach(({ measurements }, index) => grow(measurements, count === 2 ? 250 : 900 - 10 * ((index * 7 + 61) % 64)));
    for (const { measurements } of snapshot.workers) {
      measurements.numbers.on_cpu_duration_total = String(200_000_000 * asked);
      measurements.numbers.runnable_wait_duration_total = String(50_000_000 * asked);
    }
    snapshot.overload = "1";
    snapshot.cpu_throttled_duration_total = String(30_000_000 * asked);
    snapshot.cpu_throttled_count = String(asked);
    snapshot.locations.push({ ...location(5, "GET /orders", 150), kind: "group", stall_count: "3" });
    change(snapshot);
    return { type: "application/json", body: JSON.stringify(snapshot) };
  };
}

test("a worker is busy during a poll that its busy time lacks", async () => {
  // As for an attached runtime, whose busy time does not advance during a poll.
  const host = await serve(DASHBOARD, { "/snapshot": server(2, ({ workers: [, worker], total }) => {
    Object.assign(worker, { state: "polling", since: "5000000000", spawn_location_name: "/reports" });
    for (const { numbers } of [worker.measurements, total]) numbers.busy_duration_total = "250000000";
  }) });
  const { page, done } = await open(`${host.url}/`);
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll("#workers tbody tr")].map(({ innerText }) => innerText);
    return /\s25 %\s/.test(rows[0]) && /\s100 %\s/.test(rows[1]);
  });
  await page.waitForFunction(() => /Busy\s+50 %/.test(document.querySelector("#tiles").innerText));
  assert.match(await page.locator("#stalls li").first().innerText(), /: worker 1, polling \/reports$/);
  await done();
  host.close();
});

test("the page draws a server's snapshots", async () => {
  const host = await serve(DASHBOARD, { "/snapshot": server() });
  const { page, done } = await open(`${host.url}/`);
  await workers(page, 2, /^\d \(worker-\d\)\s[^]*\b25 %\s+1 k\s/);
  assert.equal(await page.locator("#workload").isHidden(), true);
  // Those of before the page was opened too.
  await page.waitForFunction(() => document.querySelector("#stall-count").innerText === "8");
  assert.equal(await page.locator("#no-stalls").isHidden(), true);
  // The total of the recorded workers grows by 250 ms of busy time in each second. The location without a poll is left out.
  const spots = await page.evaluate(() => [...document.querySelectorAll("#hot-spots tbody tr")].map(({ innerText }) => innerText));
  assert.equal(spots.length, 3);
  assert.match(spots[0], /^lost\.rs:4\s.*\s2\s+2\s+1$/);
  assert.match(spots[1], /^hog\.rs:2\s+80 %\s+100\s+62 ms\s+2\s+–\s+–$/);
  assert.match(spots[2], /^quick\.rs:1\s+10 %/);
  const groups = await page.evaluate(() => [...document.querySelectorAll("#groups tr")].map(({ innerText }) => innerText));
  assert.deepEqual(groups.map((row) => row.split(/\t/)), [
    ["Group", "Share of busy time", "Polls/s", "Slowest poll ever", "Stalls", "In progress"],
    ["GET /orders", "60 %", "100", "62 ms", "3", "2"],
  ]);
  // The operating system's times, per worker and of the cgroup.
  await workers(page, 2, /\s20 %\s+5\.0 %$/);
  await page.waitForFunction(() => /Overloaded\s+yes\s+CPU throttled per second\s+30 ms/.test(document.querySelector("#tiles").innerText));
  const waits = await page.evaluate(() => [...document.querySelectorAll("#blame tbody tr")].map(({ innerText }) => innerText));
  assert.match(waits[0], /^quick\.rs:1\s+hog\.rs:2\s+62 ms$/);
  assert.match(waits[1], /^unknown location\s+Before the first recorded event\s+1 ms$/);
  // A server has no event loop: its plot leaves no hole.
  await page.waitForFunction(() => document.querySelector("#plot-lag").hidden);
  const edges = await page.evaluate(() => {
    const right = (element) => Math.round(element.getBoundingClientRect().right);
    const figures = [...document.querySelectorAll("#plots figure:not([hidden])")];
    return [right(document.querySelector("#plots")), right(figures.at(-1))];
  });
  assert.equal(edges[0], edges[1], "the last plot fills its row");
  await page.screenshot({ path: join(ARTEFACTS, "dashboard-server.png"), fullPage: true });
  await done();
  host.close();
});

test("64 workers are sorted by their busy time", async () => {
  const host = await serve(DASHBOARD, { "/snapshot": server(64) });
  const { page, done } = await open(`${host.url}/`);
  await workers(page, 64, /^\d+ \(worker-\d+\)\s/);
  const busy = await page.evaluate(() => [...document.querySelectorAll("#workers tbody tr")].map(({ cells }) => parseInt(cells[2].innerText, 10)));
  assert.deepEqual(busy, busy.toSorted((one, other) => other - one));
  assert.ok(new Set(busy).size > 60, String(busy));
  assert.notEqual(await text(page, "#workers tbody th"), "0 (worker-0)");
  await page.screenshot({ path: join(ARTEFACTS, "dashboard-64-workers.png"), fullPage: true });
  await done();
  host.close();
});

test("the page reports a lost source, and continues when it is back", async () => {
  let there = true;
  const answer = server();
  const host = await serve(DASHBOARD, { "/snapshot": () => (there ? answer() : Promise.reject(new Error("gone"))) });
  const page = await newPage();
  await page.goto(`${host.url}/`);
  await page.waitForSelector("#status[data-state=live]");
  there = false;
  await page.waitForSelector("#status[data-state=lost]");
  there = true;
  await page.waitForSelector("#status[data-state=live]");
  await page.close();
  host.close();
});

for (const count of [2, 64]) {
  test(`the page that \`cargo xtask demo\` serves shows the server's ${count} workers`, async () => {
    const server = await xtask("demo", "--port", "0", "--workers", String(count), "--seconds", "600");
    try {
      const { page, done } = await open(`${server.url}/`);
      await workers(page, count, /\d %\s+[\d.]+( k)?\s/);
      assert.match(await text(page, "#producer"), new RegExp(`${count} workers`));
      for (const plot of ["busy", "polls", "heat", "poll-time", "latency", "lag", "wake"]) await figures(page, plot);
      for (const table of ["hot-spots", "blame"]) await page.waitForSelector(`#${table} tbody tr`);
      await page.screenshot({ path: join(ARTEFACTS, `dashboard-demo-${count}.png`), fullPage: true });
      await done();
    } finally {
      server.close();
    }
  });
}
