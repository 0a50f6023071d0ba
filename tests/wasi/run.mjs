// Runs a program for WASI in Node: `node run.mjs PROGRAM [ARGUMENT]...`.

import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { WASI } from "node:wasi";

// With optimised calls of its own functions, Node 20 ends a long run with a segmentation fault.
setFlagsFromString("--no-turbo-fast-api-calls");

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [program, ...args], env: process.env });

/** The error number of WASI where there is no thread to be had. */
const EAGAIN = 6;

/** The functions of `threads.imports`, as newer versions of wasi-libc define them: there are no threads. */
const env = {
  pthread_attr_destroy: () => 0,
  pthread_attr_init: () => 0,
  pthread_attr_setstacksize: () => 0,
  pthread_create: () => EAGAIN,
  pthread_detach: () => EAGAIN,
  pthread_join: () => EAGAIN,
};

const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, { ...wasi.getImportObject(), env });
process.exitCode = wasi.start(instance);
