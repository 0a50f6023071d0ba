// What a wrapped poll costs: the least of several rounds, less what the same poll costs bare. Prints JSON.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, serve } from "./tools.mjs";

const POLLS = 200_000;
const ROUNDS = 9;

/** Runs in the host that is measured, so it uses nothing from outside itself. */
async function measure({ run }, polls, rounds) {
  const results = {};
  for (const tasks of [1, 100]) {
    const least = {};
    // The modes take turns, so that a change of the machine's speed meets them all.
    for (let round = 0; round < rounds; round += 1) {
      for (const mode of ["bare", "measured", "watched"]) {
        const start = performance.now();
        await run(mode, tasks, polls / tasks);
        const nanos = ((performance.now() - start) * 1e6) / polls;
        least[mode] = Math.min(least[mode] ?? Infinity, nanos);
      }
    }
    const tenth = (nanos) => Math.round(nanos * 10) / 10;
    results[tasks === 1 ? "one_task" : "hundred_tasks"] = {
      bare_ns_per_poll: tenth(least.bare),
      measured_ns_per_poll: tenth(least.measured),
      overhead_ns_per_poll: tenth(least.measured - least.bare),
      overhead_with_stall_listener_ns_per_poll: tenth(least.watched - least.bare),
    };
  }
  const readings = 100_000;
  const start = performance.now();
  for (let i = 0; i < readings; i += 1) performance.now();
  results.clock_reading_ns = Math.round(((performance.now() - start) * 1e7) / readings) / 10;
  return results;
}

const directory = process.env.MODULE;
const module = await import(pathToFileURL(join(directory, "bench.js")));
await module.default({ module_or_path: await readFile(join(directory, "bench_bg.wasm")) });
const node = await measure(module, POLLS, ROUNDS);

const server = await serve(directory, { "/": () => ({ type: "text/html", body: "<!doctype html>" }) });
const browser = await launch();
const page = await browser.newPage();
await page.goto(`${server.url}/`);
const chromium = await page.evaluate(
  `(async () => { const module = await import("/bench.js"); await module.default(); return (${measure})(module, ${POLLS}, ${ROUNDS}); })()`,
);
const version = browser.version();
await browser.close();
server.close();

const method = `least of ${ROUNDS} rounds of ${POLLS} polls that do nothing but wake their task; what the same poll costs bare is taken off`;
// As the benchmark report takes them.
const rows = [["Node", process.version, node], ["Chromium", version, chromium]].flatMap(([host, version, measured]) =>
  [["one task", measured.one_task], ["a hundred tasks", measured.hundred_tasks]].map(([tasks, { overhead_ns_per_poll: ours }]) => ({
    name: `a wrapped poll, ${tasks}, ${host} ${version}`,
    ours,
    unit: "ns",
  })),
);
console.log(JSON.stringify({ method, rows, node: { version: process.version, ...node }, chromium: { version, ...chromium } }, null, 2));
