// Where snapshots come from: the server that served this page, or the wasm module that runs in it.

/** One request should never hold the next ones up. */
const TIMEOUT_MS = 5000;

/**
 * The source that the page's address names: `?source=wasm` is the page's own runtime, anything else the server's `snapshot`.
 *
 * A source is `{ intervalMs, snapshot(), describe(snapshot) }`; a snapshot has the schema of the JSON that servers send.
 */
export async function openSource(dashboard) {
  const wanted = new URLSearchParams(location.search).get("source");
  if (wanted === "wasm") {
    const { openWorkload } = await import("./workload.js");
    return { describe, ...(await openWorkload(dashboard)) };
  }
  return {
    describe,
    intervalMs: 1000,
    async snapshot() {
      const response = await fetch("snapshot", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      return response.json();
    },
  };
}

/** One line about the producer of a snapshot. */
function describe({ name, workers, started_at: startedAt }) {
  const of = `${workers.length} ${workers.length === 1 ? "worker" : "workers"}`;
  const since = startedAt ? `, since ${new Date(Number(startedAt) / 1e6).toLocaleString()}` : "";
  return `${name || "unnamed"}: ${of}${since}`;
}
