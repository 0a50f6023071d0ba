//! A strict reader of a page in the text format of Prometheus (0.0.4) or in OpenMetrics (1.0.0), as far as the exporter uses them. It is
//! short, and written from the formats: what it refuses is not left to the leniency of a parser for scrapers.

use std::collections::{BTreeMap, BTreeSet};

use crate::expected::Key;

/// The value of a series.
#[derive(Clone, Debug)]
pub enum Value {
    /// As it is written.
    Number(String),
    Histogram(Histogram),
}

#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pub sum: Option<f64>,
    pub count: Option<u64>,
    /// The upper edge of each bucket, and the number of samples up to it.
    pub buckets: Vec<(f64, u64)>,
}

/// A line with a value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(String, String)>,
    value: &'a str,
}

/// Returns all series of a page, which must be a correct one.
pub fn parse(page: &str, is_open_metrics: bool) -> BTreeMap<Key, Value> {
    assert!(page.ends_with('\n'), "the last line has an end");
    let mut lines = page.trim_end_matches('\n').split('\n').collect::<Vec<_>>();
    if is_open_metrics {
        assert_eq!(lines.pop(), Some("# EOF"));
    }
    let mut series = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let (mut described, mut family) = ("", ("", ""));
    for line in lines {
        if let Some(comment) = line.strip_prefix("# ") {
            let (kind, rest) = comment.split_once(' ').expect("a comment has a keyword");
            let (name, text) = rest.split_once(' ').expect("a comment has a name and a text");
            match kind {
                "HELP" => {
                    assert!(families.insert(name), "{name} is described twice");
                    described = name;
                }
                "TYPE" => {
                    assert_eq!(name, described);
                    assert!(["counter", "gauge", "histogram"].contains(&text), "{line}");
                    family = (name, text);
                }
                "UNIT" => assert!(is_open_metrics && name.ends_with(&format!("_{text}")), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let sample = sample(line);
        let (family, kind) = family;
        let suffix = sample
            .name
            .strip_prefix(family)
            .expect("a sample follows its type");
        let exported = match kind {
            "counter" if is_open_metrics => format!("{family}_total"),
            _ => family.to_owned(),
        };
        let is_new = seen.insert((sample.name, sample.labels.clone()));
        assert!(is_new, "twice: {line}");
        let Sample {
            mut labels, value, ..
        } = sample;
        if kind != "histogram" {
            assert_eq!(sample.name, exported, "{line}");
            series.insert((exported, labels), Value::Number(value.to_owned()));
            continue;
        }
        let edge = labels
            .iter()
            .position(|(name, _)| name == "le")
            .map(|place| labels.remove(place).1);
        let entry = series
            .entry((exported, labels))
            .or_insert_with(|| Value::Histogram(Histogram::default()));
        let Value::Histogram(histogram) = entry else {
            panic!("{line}")
        };
        let number = || value.parse::<u64>().expect(line);
        match (suffix, edge) {
            ("_sum", None) => histogram.sum = Some(value.parse().expect(line)),
            ("_count", None) => histogram.count = Some(number()),
            ("_bucket", Some(edge)) => histogram.buckets.push((edge.parse().expect(line), number())),
            _ => panic!("{line}"),
        }
    }
    for value in series.values() {
        if let Value::Histogram(histogram) = value {
            check(histogram);
        }
    }
    series
}

/// Buckets ascend, are cumulative, and end at infinity with the number of samples.
fn check(histogram: &Histogram) {
    let buckets = &histogram.buckets;
    assert!(
        buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1),
        "{buckets:?}"
    );
    assert_eq!(
        buckets.last().copied(),
        Some((f64::INFINITY, histogram.count.expect("a count")))
    );
    assert!(histogram.sum.is_some());
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> Sample<'_> {
    let end = line.find(['{', ' ']).expect("a sample has a value");
    let (name, rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let (mut labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => self::labels(rest),
        None => (Vec::new(), rest),
    };
    let value = rest.strip_prefix(' ').expect("a space before the value");
    assert!(value.parse::<f64>().is_ok() && !value.contains(' '), "{line}");
    labels.sort();
    let names: BTreeSet<_> = labels.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), labels.len(), "a label twice: {line}");
    Sample { name, labels, value }
}

/// Reads labels up to the closing brace, and returns the text after it.
fn labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut labels = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"").expect("a label has a value");
        assert!(is_name(name), "{name}");
        let mut unescaped = String::new();
        let mut chars = value.chars();
        loop {
            match chars.next().expect("a value has an end") {
                '"' => break,
                '\\' => unescaped.push(match chars.next() {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    other => panic!("escaped {other:?}"),
                }),
                c => unescaped.push(c),
            }
        }
        labels.push((name.to_owned(), unescaped));
        rest = chars.as_str();
        match rest.split_at_checked(1) {
            Some((",", more)) => rest = more,
            Some(("}", after)) => return (labels, after),
            _ => panic!("after a label: {rest}"),
        }
    }
}
