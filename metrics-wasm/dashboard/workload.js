// The workload of the demo: tasks in the page's own module. The visitor changes it while the dashboard shows its metrics.

import init, { RuntimeMetrics, Workload } from "./pkg/demo.js";

/** The dashboard marks a stall from this duration on. */
const STALL_MS = 100;
const BLOCK_MS = 200;

const byId = (id) => document.getElementById(id);

/** Starts the module and the workload, shows the controls, and returns the source of the snapshots. */
export async function openWorkload(dashboard) {
  await init();
  const metrics = new RuntimeMetrics();
  const workload = new Workload();
  byId("workload").hidden = false;
  slider("tasks", (value) => {
    workload.setTasks(value);
    return String(value);
  });
  slider("work", (value) => {
    workload.setWork(value);
    return value < 1000 ? `${value} µs` : `${value / 1000} ms`;
  });
  byId("block").addEventListener("click", () => {
    const end = performance.now() + BLOCK_MS;
    while (performance.now() < end);
  });
  let stalls = 0;
  metrics.onStall(STALL_MS, (stall) => {
    stalls += 1;
    const end = performance.timeOrigin + stall.start + stall.duration;
    dashboard.stall({ key: `loop ${stalls}`, start: end - stall.duration, end, what: what(stall) });
  });
  // For the browser's console, and for the test of this page.
  globalThis.metrics = metrics;
  globalThis.workload = workload;
  return {
    intervalMs: 500,
    async snapshot() {
      byId("workload-polls").textContent = String(workload.polls);
      return metrics.snapshot();
    },
  };
}

/** The text for a stall. The spawn location is that of the longest measured poll. */
function what({ source, spawn_location, measured, duration, script }) {
  const spawned = spawn_location ? ` of a task spawned at ${spawn_location}` : "";
  const polls = spawn_location ? `, ${Math.round((100 * measured) / duration)} % in measured polls, the longest${spawned}` : " outside any measured poll";
  switch (source) {
    case "poll":
      return `one poll${spawned}`;
    case "turn":
      return `many short polls in one turn, the longest${spawned}`;
    case "longtask":
      return `a long task${ran(script)}${polls}`;
    default:
      return `a late timer${polls}`;
  }
}

/** The script that held the thread, if the browser names it. */
function ran(script) {
  if (!script) return "";
  const place = [script.source, script.position].filter((part) => part || part === 0).join(":");
  return ` in ${script.function || "an anonymous function"}${place && ` of ${place}`}${script.invoker && ` (${script.invoker})`}`;
}

/** Applies a slider's value now and at each change. `apply` returns the text to show. */
function slider(id, apply) {
  const input = byId(id);
  const show = () => {
    byId(`${id}-value`).textContent = apply(Number(input.value));
  };
  input.addEventListener("input", show);
  show();
}
