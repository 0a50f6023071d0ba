// The dashboard in headless Chromium: over the wasm runtime of its own page, and over a server's snapshots.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, serve, xtask } from "./tools.mjs";

const ARTEFACTS = process.env.ARTEFACTS;
const DASHBOARD = fileURLToPath(new URL("../../dashboard", import.meta.url));

let browser;
let demo;

before(async () => {
  await mkdir(ARTEFACTS, { recursive: true });
  [browser, demo] = await Promise.all([launch(), xtask("wasm-demo", "--port", "0")]);
});

after(async () => {
  await browser?.close();
  demo?.close();
});

/** Opens a page that must report no error of any kind. */
async function open(url, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("request", (request) => request.url().startsWith(new URL(url).origin) || errors.push(`asked ${request.url()}`));
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

/** Pixels of a plot that have a colour of the theme. */
const pixels = (page, plot, colour) =>
  page.locator(`#plot-${plot} canvas`).evaluate((canvas, colour) => {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${colour}`).trim();
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) found += 1;
    return found;
  }, colour);

test("tasks are counted exactly, and a blocked main thread is told and drawn", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`);
  await page.selectOption("#span", "60");
  await slide(page, "tasks", 30);
  await slide(page, "work", 400);
  await page.waitForFunction(() => globalThis.workload.polls > 200n);
  await page.waitForTimeout(3000);

  // A busy machine may hold the page too: what is looked for is the stall that the button made.
  await page.evaluate(() => {
    globalThis.seen = [];
    globalThis.metrics.onStall(150, (stall) => globalThis.seen.push(stall));
    document.getElementById("block").addEventListener("click", () => (globalThis.pressed = performance.now()), { capture: true });
  });
  const drawn = { polls: await pixels(page, "polls", "stall"), lag: await pixels(page, "lag", "stall") };
  await page.click("#block");
  await page.waitForFunction(() => globalThis.seen.some((stall) => stall.start + stall.duration > globalThis.pressed));
  await page.waitForTimeout(1200);
  const told = await page.evaluate(() =>
    globalThis.seen.filter(({ start, duration }) => start < globalThis.pressed + 200 && start + duration > globalThis.pressed),
  );
  assert.equal(told.length, 1, "one stall is told once");
  assert.ok(told[0].duration >= 199 && told[0].duration < 400, JSON.stringify(told));
  assert.equal(told[0].source, "longtask");
  const listed = await page.locator("#stalls li").allInnerTexts();
  assert.ok(listed.some((item) => item.startsWith(`${Math.round(told[0].duration)} ms at `)), `${told[0].duration} in ${listed}`);
  for (const plot of ["polls", "lag"]) {
    const more = (await pixels(page, plot, "stall")) - drawn[plot];
    assert.ok(more >= 100, `the stall is drawn on the plot of ${plot}: ${more} pixels more than ${drawn[plot]}`);
  }

  // No poll runs while this does, so both sides are of one moment.
  const { counted, done: polls, samples, alive, running } = await page.evaluate(() => {
    const { total, num_alive_tasks: alive } = globalThis.metrics.snapshot();
    const { workload } = globalThis;
    return {
      counted: total.counters.poll_count,
      samples: total.poll_time.histogram.count,
      done: workload.polls,
      alive,
      running: BigInt(workload.running),
    };
  });
  assert.ok(polls > 200n);
  assert.equal(counted, polls, "polls counted are those the workload did");
  assert.equal(samples, polls);
  assert.equal(alive, running);
  assert.equal(alive, 30n);

  await slide(page, "tasks", 5);
  await page.waitForFunction(() => globalThis.workload.running === 5);
  assert.equal(await page.evaluate(() => globalThis.metrics.snapshot().num_alive_tasks), 5n);
  await page.screenshot({ path: join(ARTEFACTS, "dashboard-wasm.png"), fullPage: true });
  await done();
});

test("a long poll is told with the place that spawned its task", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`);
  await page.evaluate(() => globalThis.workload.blockInPoll(250));
  await page.waitForSelector("#stalls li");
  const first = await text(page, "#stalls li");
  assert.match(first, /^2\d\d ms at .*one poll of a task spawned at .*demo\.rs:\d+/);
  await done();
});

test("every figure is text, and plots take the keyboard", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`);
  await slide(page, "tasks", 20);
  await page.waitForTimeout(3500);
  for (const plot of ["busy", "polls", "heat", "poll-time", "latency", "queue", "lag"]) {
    const figures = await text(page, `#plot-${plot} dl`);
    assert.match(figures, /\d/, `${plot}: ${figures}`);
    const label = await page.locator(`#plot-${plot} canvas`).getAttribute("aria-label");
    assert.match(label, /now: .*\d/, plot);
  }
  await page.locator("#plot-polls canvas").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  assert.match(await page.locator("#plot-polls canvas").getAttribute("aria-label"), / at \d+:\d\d:\d\d/);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => /, now/.test(document.querySelector("#plot-polls canvas").getAttribute("aria-label")));
  await page.keyboard.press("p");
  assert.equal(await text(page, "#status"), "Paused");
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  await done();
});

test("it fits a phone, in the dark", async () => {
  const { page, done } = await open(`${demo.url}/?source=wasm`, { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  await page.waitForTimeout(2500);
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

/** A server's snapshot, as it would be a second after the last one asked for. */
function server() {
  const recorded = readFile(new URL("snapshot.json", import.meta.url), "utf8").then(JSON.parse);
  let asked = 0;
  return async () => {
    const snapshot = structuredClone(await recorded);
    asked += 1;
    snapshot.uptime = String(BigInt(snapshot.uptime) + BigInt(asked) * 1_000_000_000n);
    const grow = ({ counters }) => {
      counters.poll_count = String(BigInt(counters.poll_count) + 1000n * BigInt(asked));
      counters.busy_duration_total = String(BigInt(counters.busy_duration_total) + 250_000_000n * BigInt(asked));
    };
    [snapshot.total, ...snapshot.workers.map((worker) => worker.measurements)].forEach(grow);
    return { type: "application/json", body: JSON.stringify(snapshot) };
  };
}

test("the same page draws a server's snapshots", async () => {
  const host = await serve(DASHBOARD, { "/snapshot": server() });
  const { page, done } = await open(`${host.url}/`);
  await page.waitForTimeout(4500);
  assert.equal(await page.locator("#workload").isHidden(), true);
  assert.equal(await page.locator("#workers tbody tr").count(), 2);
  const row = await text(page, "#workers tbody tr");
  assert.match(row, /worker-0/);
  assert.match(row, /25 %/);
  assert.match(row, /\b1 k\b/);
  assert.equal(await text(page, "#plot-lag .at"), "This runtime has no event loop to measure.");
  await page.screenshot({ path: join(ARTEFACTS, "dashboard-server.png"), fullPage: true });
  await done();
  host.close();
});

test("it says so when the source is lost, and goes on when it is back", async () => {
  let there = true;
  const answer = server();
  const host = await serve(DASHBOARD, { "/snapshot": () => (there ? answer() : Promise.reject(new Error("gone"))) });
  const page = await browser.newPage();
  await page.goto(`${host.url}/`);
  await page.waitForSelector("#status[data-state=live]");
  there = false;
  await page.waitForSelector("#status[data-state=lost]");
  there = true;
  await page.waitForSelector("#status[data-state=live]");
  await page.close();
  host.close();
});

test("the page that `cargo xtask demo` serves shows the server's workers", async () => {
  const server = await xtask("demo", "--port", "0", "--workers", "2", "--seconds", "120");
  try {
    const { page, done } = await open(`${server.url}/`);
    await page.waitForFunction(() => document.querySelectorAll("#workers tbody tr").length === 2);
    await page.waitForTimeout(6000);
    assert.match(await text(page, "#producer"), /2 workers/);
    for (const plot of ["busy", "polls", "heat", "poll-time", "latency"]) {
      assert.match(await text(page, `#plot-${plot} dl`), /\d/, plot);
    }
    const rows = await page.locator("#workers tbody tr").allInnerTexts();
    for (const row of rows) assert.match(row, /\d %\s+[\d.]+( k)?\s/, row);
    await page.screenshot({ path: join(ARTEFACTS, "dashboard-demo.png"), fullPage: true });
    await done();
  } finally {
    server.close();
  }
});
