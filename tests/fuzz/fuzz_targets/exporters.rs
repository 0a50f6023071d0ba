//! Any numbers and any names, exported in every format: an independent reader of the format finds each value of the snapshot once.
#![no_main]

use core::time::Duration;
use std::collections::BTreeMap;

use fuzz::expected::{Key, Series, Shape, series};
use fuzz::ops::{Op, Reading, Rest, Runtime};
use fuzz::probe::ArbitraryProbe;
use fuzz::setup::Setup;
use fuzz::{exported, flight};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use metrics_std::export::{DuplicateName, Edges, ExportedRuntimes};
use metrics_std::facade::FacadePublisher;
use metrics_std::otlp::OtlpExporter;
use metrics_std::prometheus::RuntimeCollector;

#[derive(Arbitrary, Debug)]
struct Input {
    first: (String, Setup, ArbitraryProbe),
    second: Option<(String, Setup, ArbitraryProbe)>,
    format: ArbitraryFormat,
    each_worker: bool,
    locations: u8,
    edges: ArbitraryEdges,
    resource: (String, String),
    before: u8,
    ops: Rest<(bool, Op)>,
}

/// One per input, because each takes milliseconds.
#[derive(Arbitrary, Debug)]
enum ArbitraryFormat {
    Prometheus,
    Otlp,
    Facade,
    Json,
}

#[derive(Arbitrary, Debug)]
enum ArbitraryEdges {
    Round,
    Recorded,
    List(Vec<u64>),
}

fuzz_target!(|input: Input| {
    let edges = match input.edges {
        ArbitraryEdges::Round => Edges::round(),
        ArbitraryEdges::Recorded => Edges::recorded(),
        ArbitraryEdges::List(edges) => match Edges::list(edges.into_iter().map(Duration::from_nanos)) {
            Ok(edges) => edges,
            Err(_) => return,
        },
    };
    let shape = Shape {
        each_worker: input.each_worker,
        locations: usize::from(input.locations % 32),
    };
    let runtimes = [Some(input.first), input.second].into_iter().flatten();
    let mut runtimes: Vec<Runtime> = runtimes
        .map(|(name, setup, probe)| Runtime::new(&setup, &name, probe))
        .collect();
    if let [first, second] = &runtimes[..]
        && first.metrics.name() == second.metrics.name()
    {
        let both = FacadePublisher::new(first.metrics.clone()).with_runtime(second.metrics.clone());
        let name = second.metrics.name().to_owned();
        assert_eq!(both.map(|_| ()), Err(DuplicateName { name }));
        runtimes.pop();
    }

    let ops = input.ops.0;
    let (before, after) = ops.split_at(usize::from(input.before).min(ops.len()));
    apply(&mut runtimes, before);
    if let ArbitraryFormat::Facade = input.format {
        check_facade(&mut runtimes, after, shape);
        return;
    }
    apply(&mut runtimes, after);
    let snapshots: Vec<_> = runtimes
        .iter()
        .map(|runtime| runtime.metrics.snapshot())
        .collect();
    let expected = all_series(snapshots.iter().cloned(), shape);
    match input.format {
        ArbitraryFormat::Prometheus => {
            let collector = || {
                with_all(&runtimes, RuntimeCollector::new, RuntimeCollector::with_runtime)
                    .each_worker(shape.each_worker)
                    .locations(shape.locations)
                    .edges(edges.clone())
            };
            exported::check_prometheus(collector, &expected, &edges);
        }
        ArbitraryFormat::Otlp => {
            let (key, value) = input.resource;
            let exporter = with_all(&runtimes, OtlpExporter::new, OtlpExporter::with_runtime)
                .each_worker(shape.each_worker)
                .locations(shape.locations)
                .edges(edges.clone())
                .resource(&key, &value);
            exported::check_otlp(&exporter.to_bytes(), &expected, &edges, (&key, &value));
        }
        ArbitraryFormat::Facade | ArbitraryFormat::Json => {
            snapshots.iter().for_each(exported::check_json);
            let recordings = runtimes.iter().filter_map(flight::check);
            recordings.for_each(|recording| exported::check_trace(&recording));
        }
    }
});

fn apply(runtimes: &mut [Runtime], ops: &[(bool, Op)]) {
    let last = runtimes.len() - 1;
    for (second, op) in ops {
        runtimes[usize::from(*second).min(last)].apply(op);
    }
}

/// Publishes twice, with operations in between.
fn check_facade(runtimes: &mut [Runtime], between: &[(bool, Op)], shape: Shape) {
    // A reader reads whenever the publisher does, so that both estimate the same times in progress.
    let mut readers: Vec<_> = runtimes.iter().map(|runtime| runtime.metrics.reader()).collect();
    let publisher = with_all(runtimes, FacadePublisher::new, FacadePublisher::with_runtime)
        .each_worker(shape.each_worker)
        .locations(shape.locations);
    let recorder = exported::Recorded::default();
    for ops in [&[][..], between] {
        apply(runtimes, ops);
        recorder.begin();
        publisher.publish_to(&recorder);
        let snapshots = readers.iter_mut().map(|reader| reader.read().clone());
        recorder.check(&all_series(snapshots, shape));
    }
}

/// Creates an exporter of all runtimes.
fn with_all<E>(
    runtimes: &[Runtime],
    new: impl FnOnce(Reading) -> E,
    with: impl Fn(E, Reading) -> Result<E, DuplicateName>,
) -> E
where
    Reading: Into<ExportedRuntimes>,
{
    let (first, others) = runtimes.split_first().expect("there is one");
    others
        .iter()
        .fold(new(first.metrics.clone()), |exporter, runtime| {
            with(exporter, runtime.metrics.clone()).expect("the names differ")
        })
}

/// Returns the series of all snapshots, which have different names.
fn all_series(snapshots: impl Iterator<Item = metrics_std::Snapshot>, shape: Shape) -> BTreeMap<Key, Series> {
    snapshots.flat_map(|snapshot| series(&snapshot, shape)).collect()
}
