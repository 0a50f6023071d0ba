// Shared by the scripts in this directory. `cargo xtask wasm` runs them and passes paths in the environment.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";

/** How many milliseconds a test waits at most: longer than the slowest machine needs, so that a failing test ends. */
export const PATIENCE = 120_000;

/** Waits until a condition holds. On a busy machine no fixed delay is right. */
export async function until(what, isSo) {
  const end = performance.now() + PATIENCE;
  while (!isSo()) {
    assert.ok(performance.now() < end, `still not: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** Loads a package of npm that `cargo xtask` installed under `target/tools`. */
export function npm(name) {
  return createRequire(join(process.env.NPM_PACKAGES, name, "node_modules/"))(name);
}

/** Launches the system's Chromium without a window. It makes no request outside this machine. */
export function launch() {
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return npm("playwright-core").chromium.launch({ executablePath, timeout: PATIENCE, args: ["--no-sandbox", ...quiet] });
}

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

/** Serves a directory on a free port of the loopback address. `answers` maps paths to functions that return `{ type, body }`. */
export async function serve(directory, answers = {}) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    // A page of another origin may show these in an iframe.
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    try {
      const name = path === "/" ? "/index.html" : normalize(path);
      const file = async () => ({ type: TYPES[extname(name)], body: await readFile(join(directory, name)) });
      const { type, body } = await (answers[path] ?? file)();
      response.setHeader("Content-Type", type);
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Starts a command of `cargo xtask` that serves pages, and waits until it prints its address. */
export async function xtask(...args) {
  const child = spawn(process.env.XTASK, args, { stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((found, failed) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const match = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (match) found(match[0]);
    });
    child.on("exit", (code) => failed(new Error(`${args.join(" ")} ended with ${code}: ${text}`)));
  });
  return { url, close: () => child.kill("SIGINT") };
}
