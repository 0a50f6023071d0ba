//! [`Edges`]: the buckets of an exported histogram.

use super::in_seconds;
use core::fmt;
use core::time::Duration;
use metrics_core::HistogramSnapshot;
use metrics_core::histogram::Counts;

/// The upper edges of an exported histogram's buckets, without the one at infinity, which always exists.
///
/// An edge is inclusive, like the label `le` of Prometheus and the bounds of OpenTelemetry. Edges do not depend on the samples, so
/// histograms of several processes can be added.
///
/// # The error of edges that were not recorded
/// The edges of a runtime's histogram are those of its [layout](metrics_core::HistogramConfig). With [other](Self::list) edges, a sample
/// is counted at the first edge that is not below the largest value of its recorded bucket. Nothing is interpolated:
/// - A sample is never counted at an edge below its value.
/// - It may be counted one edge too high if an edge lies inside its bucket. So the number of samples above an edge is at least the true
///   number, and it is the true number for a threshold that is lower by at most the width of one recorded bucket. With the default
///   layout that is a quarter of the edge, or less.
/// - A sample in the layout's last bucket, which has no upper end, is counted at infinity.
///
/// The number of samples, their sum and their maximum are exact for all edges.
///
/// ```
/// use core::time::Duration;
/// use metrics_core::{HistogramConfig, HistogramSnapshot};
/// use metrics_std::export::Edges;
///
/// let mut polls = HistogramSnapshot::<Vec<u64>>::new(HistogramConfig::DEFAULT)?;
/// polls.record(45_000_000);
/// let edges = Edges::list([50, 100].map(Duration::from_millis))?;
/// // The recorded bucket reaches from 41.9 ms to 50.3 ms, so it is not known to be at most 50 ms.
/// assert_eq!(edges.counts(&polls), [(Some(50_000_000), 0), (Some(100_000_000), 1), (None, 0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Recorded,
    /// Ascending, in nanoseconds.
    List(Vec<u64>),
}

/// The error of [`Edges::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EdgesError {
    /// An edge is not above the one before it.
    NotAscending(Duration),
    /// An edge is longer than `u64::MAX` nanoseconds.
    TooLong(Duration),
}

impl fmt::Display for EdgesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAscending(edge) => {
                write!(
                    f,
                    "the edge {edge:?} is not above the one before it: sort the edges, and list each once"
                )
            }
            Self::TooLong(edge) => write!(
                f,
                "the edge {edge:?} is above {:?}: leave it out, the last bucket has no upper edge",
                Duration::from_nanos(u64::MAX)
            ),
        }
    }
}

impl core::error::Error for EdgesError {}

impl Edges {
    /// Returns the edges 1, 2.5, 5, 10 and so on, from a microsecond to ten seconds: 22 edges.
    pub fn round() -> Self {
        let decades = (3..=9).map(|power| 10_u64.pow(power));
        let steps = decades.flat_map(|decade| [decade, decade * 5 / 2, decade * 5]);
        Self(Kind::List(steps.chain([10_000_000_000]).collect()))
    }

    /// Returns edges of your choice, in ascending order.
    ///
    /// # Errors
    /// Returns an [`EdgesError`] if the edges do not ascend, or one of them is too long. They are compared as they are exported:
    /// in seconds with double precision, in which two edges above 104 days can be equal.
    pub fn list(edges: impl IntoIterator<Item = Duration>) -> Result<Self, EdgesError> {
        let mut list: Vec<u64> = Vec::new();
        for edge in edges {
            let nanos = u64::try_from(edge.as_nanos()).map_err(|_| EdgesError::TooLong(edge))?;
            // As they are exported: above 104 days, two edges can be the same number of seconds.
            if list
                .last()
                .is_some_and(|&last| in_seconds(last) >= in_seconds(nanos))
            {
                return Err(EdgesError::NotAscending(edge));
            }
            list.push(nanos);
        }
        Ok(Self(Kind::List(list)))
    }

    /// Returns the edges that were recorded: those of the histogram's layout, 118 by default. No sample is moved.
    pub fn recorded() -> Self {
        Self(Kind::Recorded)
    }

    /// Returns the buckets of a histogram with these edges: the upper edge in nanoseconds, inclusive, and the number of samples above
    /// the edge before it. The last bucket has no upper edge.
    pub fn counts<C: Counts>(&self, histogram: &HistogramSnapshot<C>) -> Vec<(Option<u64>, u64)> {
        let recorded = histogram
            .iter()
            .map(|(range, count)| (range.end.map(|_| range.largest()), count));
        let Kind::List(edges) = &self.0 else {
            return recorded.collect();
        };
        let mut counts: Vec<_> = edges
            .iter()
            .map(|&edge| (Some(edge), 0))
            .chain([(None, 0)])
            .collect();
        let mut at = 0;
        for (largest, count) in recorded {
            at = match largest {
                Some(largest) => at + edges[at..].partition_point(|&edge| edge < largest),
                None => edges.len(),
            };
            counts[at].1 += count;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_core::HistogramConfig;

    fn histogram(
        config: HistogramConfig,
        values: impl IntoIterator<Item = u64>,
    ) -> HistogramSnapshot<Vec<u64>> {
        let mut histogram = HistogramSnapshot::new(config).expect("a Vec grows");
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    /// For each edge, the samples at or below it.
    fn up_to(counts: &[(Option<u64>, u64)], edge: u64) -> u64 {
        let below = counts
            .iter()
            .take_while(|(upper, _)| upper.is_some_and(|upper| upper <= edge));
        below.map(|(_, count)| count).sum()
    }

    #[test]
    fn round_edges_are_steps_of_1_2_5_and_5_from_a_microsecond_to_ten_seconds() {
        let Kind::List(edges) = Edges::round().0 else {
            panic!("not a list");
        };
        assert_eq!(edges.len(), 22);
        assert_eq!(edges[..4], [1_000, 2_500, 5_000, 10_000]);
        assert_eq!(
            edges[18..],
            [1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000]
        );
    }

    /// For every layout and value: a sample is never counted at an edge below its value, and at most one recorded bucket too high.
    #[test]
    fn a_sample_is_counted_at_the_first_edge_that_its_bucket_does_not_exceed() {
        let layouts = [
            HistogramConfig::DEFAULT,
            HistogramConfig::linear(1_000_000, 40).expect("40 buckets of a millisecond"),
        ];
        for config in layouts {
            for value in (0..43).flat_map(|power| {
                [
                    1 << power,
                    (1_u64 << power) + 1,
                    3 << power,
                    10_u64.pow(power / 4),
                ]
            }) {
                let histogram = histogram(config, [value]);
                let counts = Edges::round().counts(&histogram);
                assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 1);
                let range = config
                    .bucket_range(config.index(value))
                    .expect("the index is in range");
                for (edge, _) in &counts {
                    let Some(edge) = *edge else { continue };
                    let is_below = range.end.is_some() && range.largest() <= edge;
                    assert_eq!(up_to(&counts, edge), u64::from(is_below), "{value} at {edge}");
                    assert!(!is_below || value <= edge, "{value} at {edge}");
                }
            }
        }
    }

    #[test]
    fn recorded_edges_move_no_sample() {
        let histogram = histogram(HistogramConfig::DEFAULT, (0..1000).map(|n| n * n * n));
        let counts = Edges::recorded().counts(&histogram);
        let counted: Vec<u64> = counts.iter().map(|&(_, count)| count).collect();
        assert_eq!(counted, histogram.buckets());
        assert_eq!(counts.last().map(|&(edge, _)| edge), Some(None));
        for ((edge, _), (range, _)) in counts.iter().zip(histogram.iter()) {
            assert_eq!(edge.map(|edge| edge + 1), range.end);
        }
    }

    #[test]
    fn an_edge_that_a_bucket_reaches_includes_its_samples() {
        let config = HistogramConfig::DEFAULT;
        let range = config
            .bucket_range(config.index(45_000_000))
            .expect("it is in range");
        let edges = [range.largest() - 1, range.largest(), 1 << 40];
        let edges = Edges::list(edges.map(Duration::from_nanos)).expect("they ascend");
        let counts = edges.counts(&histogram(config, [45_000_000]));
        let counts: Vec<u64> = counts.into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [0, 1, 0, 0]);
    }

    #[test]
    fn an_error_names_the_edge() {
        let text = EdgesError::NotAscending(Duration::from_millis(2)).to_string();
        assert!(text.starts_with("the edge 2ms is not above"), "{text}");
        let text = EdgesError::TooLong(Duration::MAX).to_string();
        assert!(text.contains(&format!("{:?} is above", Duration::MAX)), "{text}");
    }

    #[test]
    fn a_list_must_ascend() {
        let millis = Duration::from_millis;
        let error = |edges: [Duration; 2]| Edges::list(edges).map(|_| ()).expect_err("it does not ascend");
        assert_eq!(error([millis(2), millis(1)]), EdgesError::NotAscending(millis(1)));
        assert_eq!(error([millis(2), millis(2)]), EdgesError::NotAscending(millis(2)));
        assert_eq!(
            error([millis(2), Duration::MAX]),
            EdgesError::TooLong(Duration::MAX)
        );
        // In seconds, as they are exported, they are equal.
        let nearly_equal = [1 << 63, (1 << 63) + 1].map(Duration::from_nanos);
        assert_eq!(error(nearly_equal), EdgesError::NotAscending(nearly_equal[1]));
        let none = Edges::list([]).expect("one bucket without an edge");
        assert_eq!(
            none.counts(&histogram(HistogramConfig::DEFAULT, [1, 2])),
            [(None, 2)]
        );
    }
}
