// Histograms of snapshots: bounds of buckets, differences and quantiles.

/** The bounds `[start, end)` of each bucket of a layout. The last bucket ends at infinity. */
export function bounds(config) {
  const starts = config.h2 ? h2(config.h2) : config.power_of_two ? powers(config.power_of_two) : linear(config.linear);
  return starts.map((start, i) => ({ start, end: i + 1 < starts.length ? starts[i + 1] : Infinity }));
}

// As in metrics-core's histogram/config.rs. Doubles are precise enough for drawing.
function h2({ min, max, precision }) {
  const steps = 2 ** precision;
  const starts = [0];
  const [low, high] = [Number(min), Number(max)];
  const top = BigInt(max) === 2n ** 64n - 1n ? 2 ** 64 : high;
  for (let start = low || 1; start <= top && start < 2 ** 64;) {
    starts.push(start);
    const power = 2 ** Math.floor(Math.log2(start));
    start += Math.max(1, power / steps);
  }
  return starts;
}

function powers({ first_bucket: first, buckets }) {
  return Array.from({ length: buckets }, (_, i) => (i === 0 ? 0 : Number(first) * 2 ** (i - 1)));
}

function linear({ width, buckets }) {
  return Array.from({ length: buckets }, (_, i) => Number(width) * i);
}

/**
 * The samples between two snapshots of a histogram. `null` if the histogram is not measured.
 *
 * A quantile is interpolated inside its bucket, so its error is at most the bucket's width.
 */
export function interval(later, earlier) {
  if (!later) return null;
  const before = new Map((earlier?.buckets ?? []).map(([index, count]) => [index, BigInt(count)]));
  const limits = bounds(later.config);
  const buckets = [];
  for (const [index, count] of later.buckets) {
    const grown = Number(BigInt(count) - (before.get(index) ?? 0n));
    if (grown > 0) buckets.push({ ...limits[index], count: grown });
  }
  const count = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  if (count === 0) return { buckets, count, mean: null, most: null, p50: null, p90: null, p99: null };
  const sum = Number(BigInt(later.sum) - BigInt(earlier?.sum ?? 0));
  const longest = Number(later.max);
  const quantile = (q) => {
    let left = q * count;
    for (const { start, end, count } of buckets) {
      if (left <= count) return start + (left / count) * (Math.min(end, Math.max(longest, start)) - start);
      left -= count;
    }
    return longest;
  };
  const most = Math.min(buckets.at(-1).end, longest);
  return { buckets, count, mean: sum / count, most, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) };
}
