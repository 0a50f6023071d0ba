// Drives Chromium by the DevTools protocol alone. Playwright keeps every page visible and disables throttling and the back-forward
// cache, which some tests need.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE } from "./tools.mjs";

const FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const MORE = ["--disable-component-update", "--disable-sync", "--remote-debugging-pipe"];

/** Starts the system's Chromium. */
export async function chromium() {
  const profile = await mkdtemp(join(tmpdir(), "metrics-wasm-chromium-"));
  const args = [...FLAGS, ...MORE, `--user-data-dir=${profile}`, "about:blank"];
  const child = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const [, , , requests, replies] = child.stdio;
  const waiting = new Map();
  const listeners = new Set();
  let last = 0;
  let text = "";
  replies.setEncoding("utf8");
  replies.on("data", (data) => {
    const messages = (text + data).split("\0");
    text = messages.pop();
    for (const message of messages.map((message) => JSON.parse(message))) {
      const reply = waiting.get(message.id);
      waiting.delete(message.id);
      if (reply === undefined) for (const listener of listeners) listener(message);
      else if (message.error) reply.failed(new Error(message.error.message));
      else reply.done(message.result);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((done, failed) => {
      last += 1;
      waiting.set(last, { done, failed });
      requests.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
  return {
    /** Opens a page in a tab of its own. */
    async open(url) {
      const { targetId } = await send("Target.createTarget", { url });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      return new Page(targetId, (method, params) => send(method, params, sessionId), (activated) => send("Target.activateTarget", { targetId: activated }));
    },
    async close() {
      await send("Browser.close");
      await new Promise((done) => child.once("exit", done));
      await rm(profile, { recursive: true, maxRetries: 10 });
    },
  };
}

class Page {
  constructor(targetId, send, activate) {
    Object.assign(this, { targetId, send, activate });
  }

  /** Makes this the visible tab. */
  async show() {
    await this.activate(this.targetId);
  }

  /** The value of an expression in the page. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true in the page, and returns its value. */
  async until(expression) {
    const end = performance.now() + PATIENCE;
    for (;;) {
      // While the page loads, there is nothing to evaluate in.
      const value = await this.evaluate(expression).catch(() => false);
      if (value) return value;
      if (performance.now() > end) throw new Error(`still not: ${expression}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  close() {
    return this.send("Page.close");
  }
}
