// The sources of snapshots: the server of this page, or the WebAssembly module in it.

/** A request that takes longer is given up, so that the next one can start. */
const TIMEOUT_MS = 5000;

/**
 * Opens the source that the page's address names: with `?source=wasm` the module in the page, otherwise the server.
 *
 * A source is `{ intervalMs, snapshot(), describe(snapshot) }`. Its snapshots have the schema of a server's JSON.
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

/** Describes the runtime of a snapshot in one line. */
function describe({ name, workers, started_at: startedAt }) {
  const of = `${workers.length} ${workers.length === 1 ? "worker" : "workers"}`;
  const since = startedAt ? `, since ${new Date(Number(startedAt) / 1e6).toLocaleString()}` : "";
  return `${name || "unnamed"}: ${of}${since}`;
}
