//! Measures how far metrics are from the truth, and prints the tables of `docs/ACCURACY.md`.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use metrics_std::tokio::{watch_loop_lag, watch_wake_latency};
use metrics_std::{Clock, HistogramSnapshot};
use tests::ground_truth::{LIMIT, Place, SUBJECTS, Setup, Subject, spin, until};
use tokio::task::block_in_place;

const STEP: Duration = Duration::from_millis(2);
const STEPS: u32 = 200;

fn idle(subject: &mut Subject) {
    subject.rest(STEP * STEPS);
}

fn half(subject: &mut Subject) {
    for _ in 0..STEPS {
        subject.run(|| spin(STEP));
        subject.rest(STEP);
    }
}

fn full(subject: &mut Subject) {
    subject.run_queued(STEPS, || spin(STEP));
}

fn hand_over(subject: &mut Subject) {
    for _ in 0..STEPS {
        subject.run_partly(|| {
            let start = Instant::now();
            spin(STEP);
            let computed = start.elapsed();
            block_in_place(|| thread::sleep(STEP));
            computed
        });
    }
}

type Load = fn(&mut Subject);

const LOADS: [(&str, Load); 4] = [
    ("idle", idle),
    ("half", half),
    ("full", full),
    ("hand-over", hand_over),
];

fn main() {
    println!("| load | runtime | busy time | utilisation | poll time | on-CPU time |");
    println!("|---|---|---|---|---|---|");
    for (load, run) in LOADS {
        for of in SUBJECTS {
            if load == LOADS[3].0 && of.1 != Place::MultiThread {
                continue;
            }
            let mut subject = Subject::new(of, Clock::new());
            run(&mut subject);
            println!("| {load} | {} | {} |", name(of), errors(&mut subject).join(" | "));
        }
    }
    println!();
    println!("| runtime | `loop_lag` | `wake_latency` |");
    println!("|---|---|---|");
    for of in SUBJECTS {
        println!("| {} | {} |", name(of), lags(of).join(" | "));
    }
}

fn name((setup, place): (Setup, Place)) -> String {
    let place = match place {
        Place::MultiThread => "multi-thread",
        Place::CurrentThread => "current-thread",
        Place::LocalSet => "`LocalSet` on current-thread",
    };
    let setup = match setup {
        Setup::Build => "build",
        Setup::Attach => "attach",
    };
    format!("{place}, {setup}")
}

/// The errors of busy time, utilisation, poll time and on-CPU time.
fn errors(subject: &mut Subject) -> [String; 4] {
    subject.rest(STEP);
    metrics_std::flush(&subject.metrics, LIMIT).expect("the worker is idle");
    let truth = subject.truth;
    let snapshot = subject.metrics.snapshot();
    let elapsed = subject.began.elapsed();
    let total = snapshot.total();
    let ratio = snapshot.since_start().total().utilization().unwrap_or(f64::NAN);
    let polls = total.poll_time().map_or(0, |polls| polls.histogram().sum());
    let percent = |value: Duration, of: Duration| match of {
        Duration::ZERO => format!("{value:.1?}"),
        of => format!("{:+.2} %", 100.0 * (value.as_secs_f64() / of.as_secs_f64() - 1.0)),
    };
    let truth_ratio = truth.computed.as_secs_f64() / elapsed.as_secs_f64();
    let on_cpu = total.on_cpu_duration_total().zip(truth.os);
    [
        percent(subject.busy(), truth.computed),
        format!("{:+.2} points", 100.0 * (ratio - truth_ratio)),
        percent(Duration::from_nanos(polls), truth.computed),
        on_cpu.map_or_else(|| "`None`".into(), |(read, [truth, _])| percent(read, truth)),
    ]
}

const BLOCK: Duration = Duration::from_millis(20);
const PERIOD: Duration = Duration::from_millis(1);

/// The medians of the largest lags that a block of the only worker causes.
fn lags(of: (Setup, Place)) -> [String; 2] {
    let mut found = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for (probe, found) in found.iter_mut().enumerate() {
            let mut subject = Subject::new(of, Clock::new());
            let started = match probe {
                0 => watch_loop_lag(&subject.spawner, PERIOD),
                _ => watch_wake_latency(&subject.spawner, PERIOD).expect("a thread starts"),
            };
            let read = |subject: &Subject| {
                let snapshot = subject.metrics.snapshot();
                let lag = [snapshot.loop_lag(), snapshot.wake_latency()][probe];
                Duration::from_nanos(lag.and_then(HistogramSnapshot::max).unwrap_or(0))
            };
            thread::sleep(5 * PERIOD);
            until("a block is recorded", || {
                subject.run(|| spin(BLOCK));
                thread::sleep(2 * PERIOD);
                read(&subject) >= BLOCK / 2
            });
            found.push(read(&subject));
            drop(started);
        }
    }
    found.map(|mut found| {
        found.sort_unstable();
        format!("{:.1?} ({:.1?} to {:.1?})", found[7], found[0], found[14])
    })
}
