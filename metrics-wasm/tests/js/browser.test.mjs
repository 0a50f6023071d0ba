// The npm package in Chromium: time in which a page does not run is no lag and no stall, and what only a browser has.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "./chromium.mjs";
import { serve } from "./tools.mjs";

/** A page that watches its event loop. `?` options are those of the constructor. */
const WATCH = `
  import init, { RuntimeMetrics } from "/metrics_wasm.js";
  await init();
  globalThis.stalls = [];
  globalThis.metrics = new RuntimeMetrics();
  metrics.onStall(100, (stall) => stalls.push(stall));
  globalThis.samples = () => Number(metrics.snapshot().loop_lag.count);
  globalThis.longestLag = () => Number(metrics.quantile("loop_lag", 1)?.upper ?? 0n) / 1e6;
  globalThis.block = (ms) => {
    const start = performance.now();
    while (performance.now() < start + ms);
    return { start, end: performance.now() };
  };
  /** The stalls that overlap a time, with a margin for a busy machine at its edges. */
  globalThis.stallsIn = ({ start, end }) => stalls.filter((stall) => stall.start + stall.duration > start + 20 && stall.start < end - 20);`;

/** Remembers when the page did not run. A frozen page sees no time pass, so the events around it tell. */
const EVENTS = `
  globalThis.events = [];
  const remember = (event) => events.push({ type: event.type, at: performance.now(), hidden: document.hidden, persisted: event.persisted });
  for (const type of ["visibilitychange", "freeze", "resume"]) document.addEventListener(type, remember);
  for (const type of ["pagehide", "pageshow"]) addEventListener(type, remember);`;

/** A timer of the page's own, to see what the browser does to timers. */
const TIMER = `
  globalThis.gaps = [];
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    gaps.push(now - last);
    last = now;
    setTimeout(tick, 50);
  };
  setTimeout(tick, 50);`;

const page = (script) => () => ({ type: "text/html", body: `<!doctype html><title>Test</title><script type="module">${script}</script>` });
const script = (body) => () => ({ type: "text/javascript", body });

let server;
let browser;

before(async () => {
  server = await serve(process.env.PACKAGE, {
    "/": page(EVENTS + TIMER + WATCH),
    "/other": page(""),
    "/late": page(`
      globalThis.before = performance.now();
      const end = before + 150;
      while (performance.now() < end);
      ${WATCH}`),
    "/frames": page(WATCH.replace("new RuntimeMetrics()", "new RuntimeMetrics({ name: 'frames', period: 20, frames: true })")),
    "/iframe": () => ({ type: "text/html", body: `<!doctype html><iframe style="display: none" src="${server.url.replace("127.0.0.1", "localhost")}/framed"></iframe>` }),
    "/framed": page(`${TIMER}${WATCH}
      addEventListener("message", ({ source }) => source.postMessage({ gaps, stalls, lag: longestLag(), busy: String(metrics.snapshot().event_loop.loop_busy_duration_total) }, "*"));`),
    "/worker.js": script(`${TIMER}${WATCH}
      onmessage = async ({ data }) => {
        if (data > 0) {
          await new Promise((done) => setTimeout(done, 200));
          block(data);
          while (stalls.length === 0) await new Promise((done) => setTimeout(done, 20));
        }
        postMessage({ gap: Math.max(...gaps), lag: longestLag(), stalls, busy: String(metrics.snapshot().event_loop.loop_busy_duration_total) });
      };
      postMessage("ready");`),
    "/work.js": script(`
      export function holdThePage(ms) {
        const end = performance.now() + ms;
        while (performance.now() < end);
      }`),
    "/with-script": page(`${WATCH}
      const { holdThePage } = await import("/work.js?token=secret");
      setInterval(holdThePage, 700, 200);`),
    "/flat": page(`
      import init, { RuntimeMetrics } from "/metrics_wasm.js";
      const wasm = await init();
      globalThis.metrics = new RuntimeMetrics({ period: 4 });
      globalThis.read = (times) => {
        for (let i = 0; i < times; i += 1) metrics.snapshot();
      };
      globalThis.samples = () => Number(metrics.snapshot().loop_lag.count);
      const tables = Object.values(wasm).filter((value) => value instanceof WebAssembly.Table);
      globalThis.size = () => ({ entries: tables.reduce((sum, table) => sum + table.length, 0), bytes: wasm.memory.buffer.byteLength });`),
    "/with-worker": page(`${WATCH}
      globalThis.worker = new Worker("/worker.js", { type: "module" });
      globalThis.heard = [];
      worker.onmessage = ({ data }) => heard.push(data);
      globalThis.ask = () => worker.postMessage("");`),
    "/processor.js": script(`
      import { RuntimeMetrics, initSync } from "/metrics_wasm.js";
      registerProcessor("metrics", class extends AudioWorkletProcessor {
        constructor({ processorOptions }) {
          super();
          initSync({ module: processorOptions.module });
          const snapshot = new RuntimeMetrics().snapshot();
          this.port.postMessage({ name: snapshot.name, polls: snapshot.total.numbers.poll_count, uptime: snapshot.uptime, event_loop: snapshot.event_loop });
        }
        process() { return false; }
      });`),
  });
  browser = await chromium();
});

after(async () => {
  await browser?.close();
  server?.close();
});

async function open(path, ready = "globalThis.metrics") {
  const opened = await browser.open(server.url + path);
  await opened.until(`Boolean(${ready})`);
  return opened;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits until the watch has taken more samples. */
async function moreSamples(opened, more = 5) {
  const before = await opened.evaluate("samples()");
  await opened.until(`samples() >= ${before + more}`);
}

test("hidden time is neither lag nor stall, however short", async () => {
  const opened = await open("/");
  const other = await browser.open(`${server.url}/other`);
  for (let time = 0; time < 6; time += 1) {
    await opened.show();
    await opened.until("!document.hidden");
    await moreSamples(opened, 3);
    await other.show();
    await opened.until("document.hidden");
    await pause(300);
  }
  await opened.show();
  await opened.until("!document.hidden");
  await moreSamples(opened);
  const hidden = await opened.evaluate(`events.map(({ at, hidden }, i) => hidden && events[i + 1] ? { start: at, end: events[i + 1].at } : null).filter(Boolean)`);
  assert.ok(hidden.length >= 6, JSON.stringify(hidden));
  for (const time of hidden) {
    const stalls = await opened.evaluate(`stallsIn(${JSON.stringify(time)})`);
    assert.deepEqual(stalls, [], JSON.stringify(time));
  }
  await Promise.all([opened.close(), other.close()]);
});

test("frozen time is neither lag nor stall", async () => {
  const opened = await open("/");
  await moreSamples(opened);
  const other = await browser.open(`${server.url}/other`);
  await opened.until("document.hidden");
  await opened.send("Page.setWebLifecycleState", { state: "frozen" });
  await pause(3000);
  await opened.send("Page.setWebLifecycleState", { state: "active" });
  await opened.show();
  await opened.until("!document.hidden");
  await moreSamples(opened);
  const [freeze, resume] = await opened.evaluate(`["freeze", "resume"].map((type) => events.find((event) => event.type === type)?.at)`);
  assert.ok(resume - freeze >= 2900, `frozen from ${freeze} to ${resume}`);
  assert.deepEqual(await opened.evaluate(`stallsIn({ start: ${freeze}, end: ${resume} })`), []);
  const lag = await opened.evaluate("longestLag()");
  assert.ok(lag < 2900, `${lag} ms`);
  await Promise.all([opened.close(), other.close()]);
});

test("time in the back-forward cache is neither lag nor stall", async () => {
  const opened = await open("/");
  await moreSamples(opened);
  await opened.send("Page.navigate", { url: `${server.url}/other` });
  await opened.until("location.pathname === '/other' && document.readyState === 'complete'");
  await pause(3000);
  await opened.evaluate("history.back()");
  await opened.until("location.pathname === '/' && globalThis.metrics && events.at(-1)?.type === 'pageshow'");
  const [hide, show] = await opened.evaluate(`["pagehide", "pageshow"].map((type) => events.findLast((event) => event.type === type))`);
  assert.ok(show.persisted && show.at - hide.at >= 2900, JSON.stringify({ hide, show }));
  await moreSamples(opened);
  assert.deepEqual(await opened.evaluate(`stallsIn({ start: ${hide.at}, end: ${show.at} })`), []);
  const lag = await opened.evaluate("longestLag()");
  assert.ok(lag < 2900, `${lag} ms`);
  await opened.close();
});

test("time in which a debugger pauses the page for long is no lag", async () => {
  const opened = await open("/");
  await moreSamples(opened);
  await opened.send("Debugger.enable");
  await opened.send("Debugger.pause");
  await pause(6000);
  await opened.send("Debugger.resume");
  await opened.send("Debugger.disable");
  await moreSamples(opened);
  const [gap, lag] = await opened.evaluate("[Math.max(...gaps), longestLag()]");
  assert.ok(gap >= 5500, `paused for ${gap} ms`);
  assert.ok(lag < 5000, `${lag} ms`);
  await opened.close();
});

/** A page with a dedicated worker, and another page to show instead. */
async function withWorker() {
  const opened = await open("/with-worker", "globalThis.heard?.includes('ready')");
  await moreSamples(opened);
  return { opened, other: await browser.open(`${server.url}/other`) };
}

/** The longest gap, lag and the stalls of the worker, some time after it ran again. */
async function ofWorker(opened) {
  await pause(500);
  await opened.evaluate("ask()");
  return opened.until("heard[1]");
}

test("a dedicated worker frozen with its page for less than 5 s has neither lag nor stall", async () => {
  const { opened, other } = await withWorker();
  await opened.until("document.hidden");
  await opened.send("Page.setWebLifecycleState", { state: "frozen" });
  await pause(2500);
  await opened.send("Page.setWebLifecycleState", { state: "active" });
  await opened.show();
  const { gap, lag, stalls, busy } = await ofWorker(opened);
  assert.ok(gap >= 2000, `frozen for ${gap} ms`);
  assert.ok(lag < 2000, `${lag} ms`);
  assert.deepEqual(stalls.filter(({ duration }) => duration >= 2000), []);
  assert.equal(busy, "null");
  await Promise.all([opened.close(), other.close()]);
});

test("a dedicated worker in the back-forward cache with its page has neither lag nor stall", async () => {
  const opened = await open("/with-worker", "globalThis.heard?.includes('ready')");
  await moreSamples(opened);
  await opened.send("Page.navigate", { url: `${server.url}/other` });
  await opened.until("location.pathname === '/other' && document.readyState === 'complete'");
  await pause(2500);
  await opened.evaluate("history.back()");
  await opened.until("location.pathname === '/with-worker' && globalThis.heard?.length === 1");
  const { gap, lag, stalls } = await ofWorker(opened);
  assert.ok(gap >= 2000, `cached for ${gap} ms`);
  assert.ok(lag < 2000, `${lag} ms`);
  assert.deepEqual(stalls.filter(({ duration }) => duration >= 2000), []);
  await opened.close();
});

test("a stall of a dedicated worker is reported", async () => {
  const opened = await open("/with-worker", "globalThis.heard?.includes('ready')");
  await opened.evaluate("(worker.postMessage(300), true)");
  const stalls = await opened.until("heard[1]?.stalls");
  assert.ok(stalls.some(({ duration }) => duration >= 200), JSON.stringify(stalls));
  await opened.close();
});

test("reading 100,000 snapshots and idling take no memory", async () => {
  const opened = await open("/flat");
  await opened.evaluate("read(1000)");
  const before = await opened.evaluate("size()");
  await opened.evaluate("read(100_000)");
  await moreSamples(opened, 250);
  assert.deepEqual(await opened.evaluate("size()"), before);
  await opened.close();
});

test("JSON of a snapshot and of a copy loses no value", async () => {
  const opened = await open("/");
  const { whole, copy, spread } = await opened.evaluate(`{
    const snapshot = metrics.snapshot();
    snapshot.total.numbers.poll_count = 2n ** 53n + 1n;
    let spread;
    try { spread = JSON.stringify({ ...snapshot }); } catch (error) { spread = error.name; }
    ({ whole: JSON.parse(JSON.stringify(snapshot)), copy: JSON.parse(JSON.stringify({ ...snapshot.toJSON(), page: "/cart" })), spread });
  }`);
  assert.equal(whole.total.numbers.poll_count, "9007199254740993");
  assert.deepEqual(copy, { ...whole, page: "/cart" });
  assert.equal(spread, "TypeError", "a value is never lost silently");
  await opened.close();
});

test("the throttled timers of a hidden iframe of another origin are no stalls", async () => {
  const opened = await open("/iframe", "frames.length === 1");
  await opened.evaluate("globalThis.heard = []; addEventListener('message', ({ data }) => heard.push(data)); true");
  await opened.until("(frames[0].postMessage('', '*'), heard.at(-1)?.gaps.filter((gap) => gap > 900).length >= 6)");
  const { gaps, stalls, lag, busy } = await opened.evaluate("heard.at(-1)");
  const found = JSON.stringify({ gaps: gaps.map(Math.round), stalls });
  assert.ok(stalls.length <= 1, found);
  assert.ok(lag < 900, `${lag} ms, ${found}`);
  assert.equal(busy, "null");
  await opened.close();
});

test("the busy time of the event loop is null in a browser", async () => {
  const opened = await open("/");
  await opened.evaluate("(block(200), true)");
  await moreSamples(opened);
  const [total, text] = await opened.evaluate("[String(metrics.snapshot().event_loop.loop_busy_duration_total), metrics.prometheus()]");
  assert.equal(total, "null");
  assert.doesNotMatch(text, /loop_busy/);
  await opened.close();
});

test("a stall of a visible page is reported once", async () => {
  const opened = await open("/");
  await moreSamples(opened);
  const time = await opened.evaluate("block(300)");
  await opened.until(`stallsIn(${JSON.stringify(time)}).length > 0`);
  await moreSamples(opened);
  const stalls = await opened.evaluate(`stallsIn(${JSON.stringify(time)})`);
  assert.equal(stalls.length, 1, JSON.stringify(stalls));
  assert.equal(stalls[0].measured, 0);
  await opened.until("longestLag() >= 240");
  await opened.close();
});

test("long tasks before the watch are not lost", async () => {
  const opened = await open("/late");
  await opened.until("Number(metrics.quantile('long_task_time', 1)?.upper ?? 0n) >= 149e6");
  assert.ok(await opened.evaluate("stalls.some(({ start, source }) => source === 'longtask' && start <= before)"));
  await opened.close();
});

test("a stall names the script that held the page", async () => {
  const opened = await open("/with-script");
  // A busy machine may report a late timer in place of a long task. The script holds the page again and again.
  const script = await opened.until("stalls.find(({ script }) => script?.function === 'holdThePage')?.script");
  assert.deepEqual([script.source, script.invoker], ["/work.js", "TimerHandler:setInterval"]);
  assert.ok(script.duration >= 199 && script.position >= 0, JSON.stringify(script));
  await opened.close();
});

test("frames are a histogram, and the constructor takes a name and a period", async () => {
  const opened = await open("/frames");
  await opened.until("metrics.snapshot().event_loop.frame_delay?.count >= 5n");
  assert.equal(await opened.evaluate("metrics.snapshot().name"), "frames");
  await opened.evaluate("(block(300), true)");
  await opened.until("Number(metrics.quantile('frame_delay', 1).upper) >= 290e6");
  assert.match(await opened.evaluate("metrics.prometheus()"), /async_runtime_frame_delay_seconds_count/);
  assert.match(await opened.evaluate("{ try { new metrics.constructor({ period: 10 }); 'accepted' } catch (error) { error.message } }"), /already watched/);
  assert.match(await opened.evaluate("{ try { new metrics.constructor({ name: 'again' }); 'accepted' } catch (error) { error.message } }"), /already has a monitor/);
  await opened.close();
});

test("DevTools shows stalls on a track of their own, and the page keeps no entries", async () => {
  const opened = await open("/");
  await opened.evaluate(`
    globalThis.seen = [];
    new PerformanceObserver((list) => seen.push(...list.getEntries().map(({ name, startTime, duration, detail }) => ({ name, startTime, duration, detail })))).observe({ type: "measure" });
    globalThis.stop = metrics.showInDevTools(200);
    true`);
  await moreSamples(opened);
  const { start, end } = await opened.evaluate("block(300)");
  const during = `seen.find((entry) => entry.startTime < ${end} && entry.startTime + entry.duration > ${start})`;
  const entry = await opened.until(during);
  assert.match(entry.name, /^(long task|late timer)/);
  assert.deepEqual([entry.detail.devtools.dataType, entry.detail.devtools.track], ["track-entry", "Async runtime"]);
  assert.ok(entry.duration >= 240, JSON.stringify(entry));
  assert.equal(await opened.evaluate("performance.getEntriesByType('measure').length"), 0);
  await opened.close();
});

test("the page sends a summary when the visitor leaves it", async () => {
  const opened = await open("/");
  await moreSamples(opened);
  await opened.evaluate("metrics.onPageHide((summary) => localStorage.setItem('summary', JSON.stringify(summary))); true");
  await opened.send("Page.navigate", { url: `${server.url}/other` });
  await opened.until("location.pathname === '/other'");
  const text = await opened.until("localStorage.getItem('summary')");
  assert.ok(text.length < 2000, text);
  const summary = JSON.parse(text);
  assert.equal(summary.name, "main");
  assert.ok(summary.uptime_ms > 0 && summary.loop_lag.count >= 5 && summary.loop_lag.p99_ms >= 0, text);
  assert.equal(summary.poll_time, null, "no polls");
  await opened.close();
});

test("the module loads in an AudioWorklet", async () => {
  const opened = await open("/other", "document.readyState === 'complete'");
  const heard = await opened.evaluate(`(async () => {
    const context = new OfflineAudioContext(1, 1280, 44100);
    await context.audioWorklet.addModule("/processor.js");
    const module = await WebAssembly.compileStreaming(fetch("/metrics_wasm_bg.wasm"));
    const node = new AudioWorkletNode(context, "metrics", { processorOptions: { module } });
    const message = new Promise((done, failed) => {
      node.port.onmessage = ({ data }) => done({ ...data, polls: String(data.polls) });
      node.onprocessorerror = () => failed(new Error("the processor threw"));
    });
    node.connect(context.destination);
    await context.startRendering();
    return message;
  })()`);
  assert.deepEqual(heard, { name: "main", polls: "0", uptime: null, event_loop: null });
  await opened.close();
});
