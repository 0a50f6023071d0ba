// The npm package in Node and TypeScript.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { PATIENCE, until } from "./tools.mjs";

const PACKAGE = process.env.PACKAGE;
const manifest = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
const entry = pathToFileURL(join(PACKAGE, manifest.main));
const module = await import(entry);
await module.default({ module_or_path: await readFile(join(PACKAGE, "metrics_wasm_bg.wasm")) });

/** Blocks the thread for `ms` milliseconds, and returns when. */
function block(ms) {
  const start = performance.now();
  while (performance.now() < start + ms);
  return { start, end: performance.now() };
}

/** The stalls that overlap a time. A busy machine causes others. */
const over = (stalls, { start, end }) => stalls.filter((stall) => stall.start < end && stall.start + stall.duration > start);

/** Waits until the timer of the watch has fired `times` more times. */
async function turns(metrics, times) {
  const probes = () => metrics.snapshot().loop_lag.count;
  const enough = probes() + times;
  await until("the timer fires", () => probes() >= enough);
}

test("the manifest lists every file", async () => {
  assert.equal(manifest.name, "metrics-wasm");
  for (const file of [...manifest.files, manifest.types]) await readFile(join(PACKAGE, file));
});

test("an app without Rust measures its event loop", async () => {
  const metrics = new module.RuntimeMetrics();
  const earlier = metrics.snapshot();
  const stalls = [];
  const stop = metrics.onStall(100, (stall) => stalls.push(stall));
  await turns(metrics, 1n);
  const blocked = block(300);
  await until("the stall is reported", () => over(stalls, blocked).length > 0);
  await turns(metrics, 2n);
  stop();
  const [stall, ...more] = over(stalls, blocked);
  assert.deepEqual(more, [], "a stall is reported once");
  assert.equal(stall.source, "probe");
  // The timer was due up to 50 ms after the stall began.
  assert.ok(stall.duration >= 249 && stall.start + stall.duration <= performance.now(), JSON.stringify({ stall, blocked }));
  const { wall, event_loop: loop } = metrics.since(earlier);
  const [busy, all] = [Number(loop.loop_busy_duration_total), Number(wall)];
  assert.ok(busy >= 290e6, `${busy} ns`);
  assert.ok(Math.abs(loop.utilization - Math.min(1, busy / all)) < 1e-6, `${loop.utilization} of ${busy} ns in ${all}`);
  assert.ok(metrics.quantile("loop_lag", 1).upper >= 249_000_000n);
  assert.equal(metrics.quantile("poll_time", 0.5), undefined);
  assert.throws(() => metrics.quantile("lag", 0.5), /loop_lag/);
  assert.throws(() => metrics.since({}), /snapshot\(\)/);
  assert.match(metrics.prometheus(), /async_runtime_loop_lag_seconds_count/);
});

test("a stall callback stays registered when its stop function is garbage-collected", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const metrics = new module.RuntimeMetrics();
  const stalls = [];
  metrics.onStall(100, (stall) => stalls.push(stall));
  let collected = false;
  const registry = new FinalizationRegistry(() => (collected = true));
  registry.register({}, undefined);
  await until("garbage is collected", () => (collect(), collected));
  const blocked = block(300);
  await until("the stall is reported", () => over(stalls, blocked).length > 0);
});

test("an exception in a stall callback is reported, and the other callbacks run", async () => {
  const metrics = new module.RuntimeMetrics();
  const [reported, stalls] = [[], []];
  globalThis.reportError = (error) => reported.push(error.message);
  const stops = [
    metrics.onStall(100, () => {
      throw new Error("from the callback");
    }),
    metrics.onStall(100, (stall) => stalls.push(stall)),
  ];
  try {
    await turns(metrics, 1n);
    const blocked = block(300);
    await until("the stall is reported", () => over(stalls, blocked).length > 0);
  } finally {
    for (const stop of stops) stop();
    delete globalThis.reportError;
  }
  assert.ok(reported.length > 0 && reported.every((message) => message === "from the callback"), String(reported));
});

test("an argument of another type throws a TypeError", () => {
  const metrics = new module.RuntimeMetrics();
  assert.throws(() => metrics.onStall(50), { name: "TypeError", message: /callback must be a function/ });
  assert.throws(() => metrics.quantile({}, 0.5), { name: "TypeError", message: /loop_lag/ });
  assert.throws(() => metrics.since(undefined), { name: "TypeError", message: /snapshot\(\)/ });
});

test("each argument is checked, and none is converted", () => {
  const metrics = new module.RuntimeMetrics();
  const callback = () => {};
  for (const ms of [null, "50", [], -1, Number.NaN, Infinity, 50n, undefined, {}]) {
    const error = { name: "TypeError", message: /ms must be a number of milliseconds/ };
    assert.throws(() => metrics.onStall(ms, callback), error);
    assert.throws(() => metrics.showInDevTools(ms), error);
  }
  for (const q of [null, "0.5", [], 1.5, 50n, undefined]) {
    assert.throws(() => metrics.quantile("poll_time", q), { name: "TypeError", message: /q must be a number from 0 to 1/ });
  }
  assert.throws(() => metrics.onPageHide(50), { name: "TypeError", message: /callback must be a function/ });
  assert.throws(() => metrics.onPageHide(callback), { name: "Error", message: /no page/ });
  for (const options of [null, 50, "main", { nam: "x" }, { name: 5 }, { period: 0 }, { period: "50" }, { poll_time: 5 }, { poll_time_sampling: "all" }, { flight_recorder: -1 }, { locations: "8" }, { flight_recorder_threshold: -1 }]) {
    assert.throws(() => new module.RuntimeMetrics(options), { name: "TypeError" }, JSON.stringify(options));
  }
});

test("garbage in an earlier snapshot is an error, and not 0", () => {
  const metrics = new module.RuntimeMetrics();
  const change = (path, value) => {
    const snapshot = metrics.snapshot().toJSON();
    const keys = path.split(".");
    const last = keys.pop();
    keys.reduce((object, key) => object[key], snapshot)[last] = value;
    return snapshot;
  };
  assert.equal(metrics.since(metrics.snapshot().toJSON()).total.numbers.poll_count, 0n);
  for (const path of ["epoch", "uptime", "self_wake_count", "total.numbers.poll_count", "loop_lag.count", "loop_lag.buckets"]) {
    for (const garbage of ["many", "", "-1", {}, [["x", "y"]], true]) {
      assert.throws(() => metrics.since(change(path, garbage)), { name: "TypeError", message: /previous must be a snapshot/ }, `${path}: ${JSON.stringify(garbage)}`);
    }
  }
  assert.throws(() => metrics.since(change("epoch", "1")), { name: "Error", message: /epoch/ });
});

test("a copy with more fields is made of toJSON(), and since() takes it", () => {
  const metrics = new module.RuntimeMetrics();
  const text = JSON.stringify({ ...metrics.snapshot().toJSON(), page: "/cart" });
  const copy = JSON.parse(text);
  assert.equal(copy.page, "/cart");
  assert.equal(metrics.since(copy).total.numbers.poll_count, 0n);
  assert.match(JSON.stringify({ ...metrics.since(copy).toJSON() }), /"poll_count":"0"/);
  assert.throws(() => JSON.stringify({ ...metrics.snapshot() }), TypeError, "a value is never lost silently");
});

/** A snapshot with other counts, as another worker would send it. */
function counting(polls, wakes) {
  const snapshot = new module.RuntimeMetrics().snapshot().toJSON();
  for (const measured of [snapshot.total, ...snapshot.workers.map(({ measurements }) => measurements)]) measured.numbers.poll_count = polls;
  return { ...snapshot, epoch: String(BigInt(snapshot.epoch) ^ BigInt(wakes)), self_wake_count: wakes };
}

test("snapshots of several workers are merged, also from JSON", async () => {
  const metrics = new module.RuntimeMetrics();
  await turns(metrics, 2n);
  const lag = metrics.snapshot().loop_lag.count;
  const parts = [structuredClone(metrics.snapshot()), counting("9007199254740993", "3"), JSON.parse(JSON.stringify(counting("2", "4")))];
  const merged = module.RuntimeMetrics.merge(parts);
  assert.equal(merged.total.numbers.poll_count, 9007199254740995n);
  assert.equal(merged.self_wake_count, 7n);
  assert.deepEqual(merged.workers.map(({ worker }) => worker), [0, 1, 2]);
  assert.ok(merged.loop_lag.count >= 3n * lag, `${merged.loop_lag.count} of 3 * ${lag}`);
  const busy = parts.map(({ event_loop }) => BigInt(event_loop.loop_busy_duration_total));
  assert.equal(merged.event_loop.loop_busy_duration_total, busy.reduce((sum, ns) => sum + ns));
  assert.equal(JSON.parse(JSON.stringify(merged)).total.numbers.poll_count, "9007199254740995");
  assert.deepEqual(Object.keys(merged).sort(), Object.keys(metrics.snapshot()).sort());
});

test("a metric that one of the merged workers lacks is null, and garbage is an error", () => {
  const { merge } = module.RuntimeMetrics;
  const snapshot = new module.RuntimeMetrics().snapshot();
  assert.equal(merge([snapshot, { ...snapshot.toJSON(), event_loop: null }]).event_loop, null);
  for (const snapshots of [undefined, {}, [], snapshot]) assert.throws(() => merge(snapshots), { name: "TypeError", message: /an array of at least one snapshot/ });
  assert.throws(() => merge([snapshot, {}]), { name: "TypeError", message: /snapshots\[1\] must be a snapshot/ });
});

test("a summary has no BigInt and fits into a beacon", async () => {
  const metrics = new module.RuntimeMetrics();
  await turns(metrics, 2n);
  const summary = metrics.summary();
  const text = JSON.stringify({ ...summary });
  assert.ok(text.length < 2000, text);
  assert.deepEqual([summary.name, summary.polls, summary.poll_time], ["main", 0, null]);
  assert.ok(summary.uptime_ms > 0 && summary.loop_lag.count >= 2 && summary.loop_lag.max_ms >= summary.loop_lag.p50_ms / 2, text);
});

test("the constructor takes name, layouts, sampling and period before the first reader", async () => {
  const seen = await without(
    [],
    `const options = { name: "images", period: 20, poll_time: { h2: { min: 1000n, max: 10_000_000_000n, precision: 2 } }, schedule_latency: null, poll_time_sampling: { one_in: 8 } };
     const metrics = new module.RuntimeMetrics(options);
     const { name, total } = metrics.snapshot();
     const thrown = [];
     for (const late of [{ name: "again" }, { period: 10 }]) try { new module.RuntimeMetrics(late); } catch (error) { thrown.push(error.message); }
     metrics.stop();
     new module.RuntimeMetrics({ period: 10 });
     tell({ name, total: { poll_time: { ...total.poll_time, histogram: null }, schedule_latency: total.schedule_latency }, thrown });`,
  );
  assert.equal(seen.name, "images", String(seen));
  assert.deepEqual(seen.total.poll_time.sampling, { one_in: 8 });
  assert.equal(seen.total.schedule_latency, null);
  assert.match(seen.thrown[0], /already has a monitor/);
  assert.match(seen.thrown[1], /already watched/);
});

test("the text codec for worklets encodes and decodes as the host does", async () => {
  const source = await readFile(join(PACKAGE, "text_codec.js"), "utf8");
  const { TextDecoder: Decoder, TextEncoder: Encoder } = runInNewContext(`${source}; globalThis`, {});
  for (const text of ["", "main", "ns per poll: µ", "Zürich – 東京", "🦀 and 𝄞", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}", "lone \ud800"]) {
    const bytes = new TextEncoder().encode(text);
    assert.deepEqual([...new Encoder().encode(text)], [...bytes], text);
    assert.equal(new Decoder().decode(bytes), new TextDecoder().decode(bytes), text);
  }
  assert.equal(new Decoder().decode(), "");
});

test("stop() ends the watch of the event loop until there is a new reader", async () => {
  const metrics = new module.RuntimeMetrics();
  const stalls = [];
  metrics.onStall(100, (stall) => stalls.push(stall));
  await turns(metrics, 2n);
  const before = metrics.snapshot();
  metrics.stop();
  assert.equal(metrics.snapshot().event_loop, null);
  assert.throws(() => metrics.onStall(100, () => {}), /stop\(\)/);
  const again = new module.RuntimeMetrics();
  const heard = [];
  const stop = again.onStall(100, (stall) => heard.push(stall));
  await turns(again, 1n);
  const blocked = block(300);
  await until("the stall is reported", () => over(heard, blocked).length > 0);
  stop();
  assert.deepEqual(over(stalls, blocked), []);
  assert.equal(again.since(before).event_loop, null, "the watch of the earlier snapshot has ended");
});

test("2^53 + 1 survives JSON and a structured clone", () => {
  const metrics = new module.RuntimeMetrics();
  const snapshot = metrics.snapshot();
  assert.equal(typeof snapshot.total.numbers.poll_count, "bigint");
  snapshot.total.numbers.poll_count = 2n ** 53n + 1n;
  const text = JSON.stringify(snapshot);
  assert.equal(JSON.parse(text).total.numbers.poll_count, "9007199254740993");
  assert.equal(structuredClone(snapshot).total.numbers.poll_count, 2n ** 53n + 1n);
});

test("the watch does not keep the process alive", () => {
  const script = `
    const module = await import(${JSON.stringify(entry.href)});
    const { readFile } = await import("node:fs/promises");
    await module.default({ module_or_path: await readFile(${JSON.stringify(join(PACKAGE, "metrics_wasm_bg.wasm"))}) });
    new module.RuntimeMetrics().onStall(50, () => {});
    console.log("ends");`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: PATIENCE, encoding: "utf8" });
  assert.equal(out.trim(), "ends");
});

/** The program in JavaScript below a heading of the README. */
async function program(heading) {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const [, code] = new RegExp(`\n## ${heading}\n[^]*?\n\`\`\`js\n([^]*?)\n\`\`\``).exec(readme) ?? assert.fail(`no ${heading}`);
  return code;
}

test("the README's program for Node prints Prometheus text", async () => {
  const dir = await mkdtemp(join(tmpdir(), "metrics-wasm-"));
  try {
    await cp(PACKAGE, join(dir, "node_modules/metrics-wasm"), { recursive: true });
    await writeFile(join(dir, "app.mjs"), `${await program("Node")}\nconsole.log(metrics.prometheus());`);
    const out = execFileSync(process.execPath, [join(dir, "app.mjs")], { timeout: PATIENCE, encoding: "utf8" });
    assert.match(out, /^async_runtime_worker_polls_total\{runtime="main"\} 0$/m);
  } finally {
    await rm(dir, { recursive: true });
  }
});

/** Runs the package in a worker whose global object lacks `names`, as a worklet's does. */
function without(names, body) {
  const script = `
    const { parentPort, workerData } = require("node:worker_threads");
    (async () => {
      const module = await import(workerData.entry);
      module.initSync({ module: require("node:fs").readFileSync(workerData.wasm) });
      for (const name of ${JSON.stringify(names)}) delete globalThis[name];
      const tell = (value) => parentPort.postMessage(value);
      ${body}
    })().catch((error) => parentPort.postMessage(String(error.stack)));`;
  const worker = new Worker(script, { eval: true, workerData: { entry: entry.href, wasm: join(PACKAGE, "metrics_wasm_bg.wasm") } });
  return new Promise((done, failed) => worker.once("message", done).once("error", failed)).finally(() => worker.terminate());
}

test("a global object without clock, timers and microtasks counts and measures no time", async () => {
  const seen = await without(
    ["performance", "setTimeout", "queueMicrotask", "PerformanceObserver", "document"],
    `const metrics = new module.RuntimeMetrics();
     const { uptime, event_loop, total } = metrics.snapshot();
     let thrown = "";
     try { metrics.onStall(50, () => {}); } catch (error) { thrown = error.message; }
     tell({ uptime, event_loop, busy: total.numbers.busy_duration_total, polls: total.numbers.poll_count, thrown, text: metrics.prometheus() });`,
  );
  assert.equal(seen.uptime, null, JSON.stringify(seen, (_, value) => (typeof value === "bigint" ? String(value) : value)));
  assert.equal(seen.event_loop, null);
  assert.equal(seen.busy, null, "not measured is null");
  assert.equal(seen.polls, 0n);
  assert.match(seen.thrown, /setTimeout/);
  assert.doesNotMatch(seen.text, /seconds/);
});

test("a clock that jumps while the computer sleeps is neither lag nor stall", async () => {
  const seen = await without(
    [],
    `const metrics = new module.RuntimeMetrics();
     const stalls = [];
     metrics.onStall(100, (stall) => stalls.push(stall));
     const samples = () => metrics.snapshot().loop_lag.count;
     const more = async () => { for (const enough = samples() + 3n; samples() < enough; ) await new Promise((done) => setTimeout(done, 5)); };
     await more();
     const now = performance.now.bind(performance);
     performance.now = () => now() + 8 * 3_600_000;
     await more();
     tell({ lag: Number(metrics.quantile("loop_lag", 1).upper) / 1e6, stalls: stalls.filter(({ duration }) => duration > 3_600_000) });`,
  );
  assert.ok(seen.lag < 3_600_000, JSON.stringify(seen));
  assert.deepEqual(seen.stalls, []);
});

test("the generated types accept the API and reject mistakes", async () => {
  const dir = await mkdtemp(join(tmpdir(), "metrics-wasm-"));
  try {
    await cp(PACKAGE, join(dir, "metrics-wasm"), { recursive: true });
    await writeFile(
      join(dir, "app.ts"),
      `import init, { RuntimeMetrics, type Snapshot, type SnapshotJson, type Interval, type Stall, type Summary, type BlameReport, type RuntimeMetricsOptions } from "./metrics-wasm/metrics_wasm.js";
       await init();
       const metrics = new RuntimeMetrics();
       const snapshot: Snapshot = metrics.snapshot();
       const polls: bigint | null = snapshot.total.numbers.poll_count;
       const interval: Interval = metrics.since(snapshot);
       const ratio: number | null = interval.total.utilization;
       const bound: bigint | undefined = metrics.quantile("poll_time", 0.99)?.upper;
       const stop: () => void = metrics.onStall(100, (stall: Stall) => console.log(stall.duration, stall.spawn_location));
       const text: string = metrics.prometheus();
       const json: SnapshotJson = snapshot.toJSON();
       const written: string | null = json.total.numbers.poll_count;
       const bucket: [number, string] | undefined = json.total.poll_time?.histogram.buckets[0];
       const later: Interval = metrics.since(JSON.parse(JSON.stringify(json)) as SnapshotJson);
       const all: Snapshot = RuntimeMetrics.merge([snapshot, json]);
       const summary: Summary = metrics.summary();
       const sent: number | undefined = summary.poll_time?.p99_ms;
       const options: RuntimeMetricsOptions = { name: "ui", period: 50, frames: true, schedule_latency: null, poll_time_sampling: { one_in: 8 }, locations: 8, flight_recorder: 63, flight_recorder_threshold: 0.1 };
       new RuntimeMetrics(options);
       const trace: string | undefined = metrics.trace();
       const blame: BlameReport | undefined = metrics.blame(10);
       metrics.onPageHide((summary: Summary) => navigator.sendBeacon("/metrics", JSON.stringify(summary)));
       metrics.showInDevTools(50);
       console.log(polls, ratio, bound, stop, text, written, bucket, later, all, sent, trace, blame);
       const copy: SnapshotJson = { ...snapshot.toJSON() };
       metrics.since(copy);
       // @ts-expect-error a copy of a snapshot has no such method
       ({ ...snapshot }).toJSON();
       // @ts-expect-error a copy of an interval has no such method
       ({ ...interval }).toJSON();
       // @ts-expect-error a BigInt is a string in JSON
       const number: bigint | null = json.uptime;
       // @ts-expect-error there is no such option
       new RuntimeMetrics({ interval: 50 });
       // @ts-expect-error there is no such histogram
       metrics.quantile("pole_time", 0.5);
       // @ts-expect-error a snapshot is not a number
       metrics.since(3);`,
    );
    const programs = await Promise.all(["JavaScript around your module", "A page without Rust"].map(program));
    const files = programs.map((code, i) => [join(dir, `readme${i}.ts`), code.replace(/from "(\.\/pkg\/app\.js|metrics-wasm)"/, 'from "./metrics-wasm/metrics_wasm.js"')]);
    for (const [file, code] of files) await writeFile(file, code);
    const tsc = join(process.env.NPM_PACKAGES, "typescript/node_modules/typescript/bin/tsc");
    const flags = ["--noEmit", "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler", "--lib", "esnext,dom"];
    execFileSync(process.execPath, [tsc, ...flags, join(dir, "app.ts"), ...files.map(([file]) => file)], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    assert.fail(error.stdout || error.message);
  } finally {
    await rm(dir, { recursive: true });
  }
});

/** The fields of an interface and of those that it extends, by their names in the types. Classes have only methods. */
function fields(types, name) {
  const declaration = new RegExp(`export interface ${name}(?: extends ([\\w, ]+))? \\{([^]*?)\\n\\}`);
  const [, bases = "", body] = declaration.exec(types) ?? assert.fail(`no ${name}`);
  const own = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field);
  const inherited = bases.split(", ").filter((base) => types.includes(`interface ${base} `));
  return [...own, ...inherited.flatMap((base) => fields(types, base))].sort();
}

test("the generated types have the fields of the objects, and no others", async () => {
  const types = await readFile(join(PACKAGE, manifest.types), "utf8");
  const metrics = new module.RuntimeMetrics();
  const snapshot = metrics.snapshot();
  const interval = metrics.since(snapshot);
  const found = {
    Snapshot: snapshot,
    Measurements: snapshot.total,
    WorkerNumbers: snapshot.total.numbers,
    HistogramReading: snapshot.total.poll_time,
    Histogram: snapshot.total.poll_time.histogram,
    TaskCounts: snapshot.tasks,
    Worker: snapshot.workers[0],
    EventLoop: snapshot.event_loop,
    Interval: interval,
    WorkerInterval: interval.total,
    HistogramInterval: interval.loop_lag,
    Summary: metrics.summary(),
  };
  for (const [name, object] of Object.entries(found)) assert.deepEqual(Object.keys(object).sort(), fields(types, name), name);
});
