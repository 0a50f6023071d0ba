// Two web workers that share the memory of a module built with atomics: one records, the other reads.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "./chromium.mjs";
import { serve } from "./tools.mjs";

const TURNS = 500_000;

const page = `<!doctype html><title>Threads</title><script type="module">
  import init, { polls } from "/threads.js";
  const module = await WebAssembly.compileStreaming(fetch("/threads_bg.wasm"));
  const { memory } = await init({ module_or_path: module });
  const start = (call) => new Promise((done, failed) => {
    const worker = new Worker("/worker.js", { type: "module" });
    worker.onmessage = ({ data }) => (data.error ? failed(new Error(data.error)) : done(data.result));
    worker.onerror = ({ message }) => failed(new Error(message));
    worker.postMessage({ module, memory, call });
  });
  globalThis.shared = memory.buffer instanceof SharedArrayBuffer;
  globalThis.run = async (turns) => {
    const [states] = await Promise.all([start(["read", turns]), start(["record", turns])]);
    return { states, polls: String(polls()) };
  };
</script>`;

const worker = `
  import * as threads from "/threads.js";
  onmessage = ({ data: { module, memory, call: [name, turns] } }) => {
    try {
      threads.initSync({ module, memory });
      postMessage({ result: threads[name](turns) });
    } catch (error) {
      postMessage({ error: String(error) });
    }
  };`;

let server;
let browser;

before(async () => {
  server = await serve(process.env.MODULE, {
    "/": () => ({ type: "text/html", body: page }),
    "/worker.js": () => ({ type: "text/javascript", body: worker }),
  });
  browser = await chromium();
});

after(async () => {
  await browser?.close();
  server?.close();
});

test("a reader on another thread sees whole states, and every poll", async () => {
  const opened = await browser.open(server.url);
  await opened.until("Boolean(globalThis.run)");
  assert.equal(await opened.evaluate("shared"), true);
  const { states, polls } = await opened.evaluate(`run(${TURNS})`);
  assert.equal(polls, String(7 * TURNS));
  assert.ok(states > 1, `${states} states: the reader did not run while the worker recorded`);
});
