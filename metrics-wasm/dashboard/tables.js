// Tables whose columns are those that have values.

import { format } from "./plots.js";

/** A poll of this duration is a stall. */
export const STALL_MS = 100;

const isKnown = (value) => value !== null && value !== undefined;

function text(cell, value, { unit }) {
  cell.textContent = unit ? format(value, unit) : (value ?? "–");
}

function now(cell, value, _, worker) {
  cell.textContent = value;
  cell.classList.toggle("held", worker.heldMs >= STALL_MS);
}

function meter(cell, value, { unit }) {
  if (!cell.firstChild) {
    const added = Object.assign(document.createElement("meter"), { min: 0, max: 1 });
    added.setAttribute("aria-hidden", "true");
    cell.append(added, document.createTextNode(""));
  }
  cell.firstChild.value = value ?? 0;
  cell.firstChild.hidden = !isKnown(value);
  cell.lastChild.data = format(value, unit);
}

const WORKERS = [
  { title: "Worker", of: (worker) => worker.name },
  { title: "Now", of: (worker) => worker.now, show: now },
  { title: "Busy", of: (worker) => worker.busy, unit: "ratio", show: meter },
  { title: "Polls/s", of: (worker) => worker.polls, unit: "rate" },
  { title: "Mean poll", of: (worker) => worker.mean, unit: "time" },
  { title: "Queue", of: (worker) => worker.queue, unit: "count" },
  { title: "Parks/s", of: (worker) => worker.parks, unit: "rate" },
  { title: "Steals/s", of: (worker) => worker.steals, unit: "rate" },
  { title: "On a processor", of: (worker) => worker.onCpu, unit: "ratio" },
  { title: "Waits for one", of: (worker) => worker.waitsForCpu, unit: "ratio" },
];

const POLLED = [
  { title: "Share of busy time", of: (spot) => spot.busy, unit: "ratio" },
  { title: "Polls/s", of: (spot) => spot.polls, unit: "rate" },
  { title: "Slowest poll ever", of: (spot) => spot.slowest, unit: "time" },
];

const HOT_SPOTS = [
  { title: "Spawned at", of: (spot) => spot.name },
  ...POLLED,
  { title: "Waited per second", of: (spot) => spot.waited, unit: "time" },
  { title: "Longest latency ever", of: (spot) => spot.longestLatency, unit: "time" },
  { title: "Alive tasks", of: (spot) => spot.alive, unit: "count" },
  { title: "Queued", of: (spot) => spot.queued, unit: "count" },
  { title: "Waiting", of: (spot) => spot.waiting, unit: "count" },
  { title: "Nobody can wake", of: (spot) => spot.unwakeable, unit: "count" },
];

const GROUPS = [
  { title: "Group", of: (group) => group.name },
  ...POLLED,
  { title: "Stalls", of: (group) => group.stalls, unit: "count" },
  { title: "In progress", of: (group) => group.alive, unit: "count" },
];

const BLAME = [
  { title: "Waiting tasks spawned at", of: (wait) => wait.victim },
  { title: "Waited for", of: (wait) => wait.culprit },
  { title: "Task-seconds", of: (wait) => wait.waited, unit: "time" },
];

class Table {
  constructor(id, columns) {
    this.table = document.getElementById(id);
    this.columns = columns;
    this.shown = new Set();
  }

  /** Shows these rows. A column appears with its first value, and then stays. */
  fill(rows) {
    for (const column of this.columns) {
      if (rows.some((row) => isKnown(column.of(row)))) this.shown.add(column);
    }
    const columns = this.columns.filter((column) => this.shown.has(column));
    const [head, body] = [this.table.tHead.rows[0], this.table.tBodies[0]];
    if (head.cells.length !== columns.length) {
      const title = ({ title }) => Object.assign(document.createElement("th"), { scope: "col", textContent: title });
      head.replaceChildren(...columns.map(title));
      body.replaceChildren();
    }
    while (body.rows.length > rows.length) body.lastElementChild.remove();
    rows.forEach((row, i) => {
      const { cells } = body.rows[i] ?? newRow(body, columns.length);
      columns.forEach((column, place) => (column.show ?? text)(cells[place], column.of(row), column, row));
    });
  }
}

function newRow(body, length) {
  const row = body.insertRow();
  row.append(Object.assign(document.createElement("th"), { scope: "row" }));
  while (row.cells.length < length) row.insertCell();
  return row;
}

/** The tables below the plots. */
export class Tables {
  constructor() {
    this.workers = new Table("workers", WORKERS);
    // Each is hidden if the runtime does not keep what it shows.
    this.optional = [
      [document.getElementById("groups-panel"), new Table("groups", GROUPS), (sample) => sample.groups],
      [document.getElementById("hot-spots-panel"), new Table("hot-spots", HOT_SPOTS), (sample) => sample.hotSpots],
      [document.getElementById("blame-panel"), new Table("blame", BLAME), (sample) => sample.blame],
    ];
  }

  fill(sample) {
    this.workers.fill(sample.workers);
    for (const [panel, table, rows] of this.optional) {
      panel.hidden = rows(sample) === null;
      table.fill((rows(sample) ?? []).slice(0, 20));
    }
  }
}
