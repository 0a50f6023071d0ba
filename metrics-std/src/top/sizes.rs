//! The screen at each width and with each number of workers, and its keys.

use super::controls::{Controls, Effect};
use super::format::rate;
use super::hot_spots::HotSpot;
use super::layout::{draw, draw_start};
use super::view::{HistogramRow, Quantiles, Tasks, View, WorkerRow};
use core::time::Duration;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeSet;

/// Busy ratios that are not sorted, and numbers of many digits that no two workers share.
fn worker(index: usize) -> WorkerRow {
    let n = index as f64;
    WorkerRow {
        name: index.to_string(),
        index: Some(index),
        utilization: Some((index * 37 % 101) as f64 / 100.0),
        polls_per_second: Some(98_000_000.0 + n * 7_919.0),
        parks_per_second: Some(1_000_000.0 + n * 4_001.0),
        steals_per_second: (!index.is_multiple_of(5)).then_some(200_000.0 + n * 311.0),
        state: format!("polling src/report.rs:{} for 12.3 ms", 1_000 + index),
    }
}

fn external() -> WorkerRow {
    WorkerRow {
        name: "external".to_owned(),
        index: None,
        utilization: None,
        polls_per_second: None,
        parks_per_second: None,
        steals_per_second: None,
        state: "awake".to_owned(),
    }
}

fn view(workers: usize) -> View {
    View {
        title: vec![
            "http://127.0.0.1:9000/snapshot".to_owned(),
            "12,345,678 answered".to_owned(),
        ],
        interval: Duration::from_secs(1),
        workers: (0..workers).map(worker).chain([external()]).collect(),
        tasks: Tasks {
            alive: Some(1_033),
            covered: Some(1_033),
            spawned_per_second: Some(2_000.0),
            global_queue: Some(0),
            blocking_queue: None,
        },
        histograms: vec![HistogramRow {
            name: "poll time",
            interval: Quantiles {
                p50: Some(1_792),
                max: Some(62_000_000),
                ..Quantiles::default()
            },
            since_start: Quantiles::default(),
        }],
        hot_spots: Some(vec![HotSpot {
            name: "src/report.rs:88".to_owned(),
            busy_share: Some(0.82),
            polls_per_second: Some(4_210.0),
            slowest: Some(62_000_000),
            waited: Some(81_500_000.0),
        }]),
        groups: vec![HotSpot {
            name: "/orders/{id}".to_owned(),
            busy_share: Some(0.61),
            polls_per_second: Some(4_200.0),
            slowest: Some(61_900_000),
            waited: None,
        }],
        blame: vec!["80.4 ms  src/quick.rs:14 waited for src/report.rs:88".to_owned()],
        unwakeable: vec!["1 of 3 waiting tasks  src/lost.rs:7".to_owned()],
        stall_count: Some(12),
        stalls: vec!["worker 1: in progress for 61.2 ms  src/service.rs:114".to_owned()],
        stalls_heading: "long polls in progress",
    }
}

fn screen(view: &View, controls: &Controls, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view, controls)).unwrap();
    let buffer = terminal.backend().buffer();
    let row =
        |row: &[ratatui::buffer::Cell]| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    let rows = buffer.content.chunks(usize::from(width)).map(row);
    rows.map(|row| row.trim_end().to_owned()).collect()
}

/// Returns the numbers in a text.
fn numbers(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_digit() || c == ',' || c == '.';
    text.split(|c| !is_part(c))
        .map(|number| number.trim_matches([',', '.']).to_owned())
        .filter(|number| !number.is_empty())
        .collect()
}

/// Returns the rows of the table of workers, and all other lines.
fn parts(screen: &[String]) -> (&[String], Vec<&String>) {
    let begin = screen.iter().position(|line| line.starts_with("worker")).unwrap() + 1;
    let rows = screen[begin..].iter().take_while(|line| !line.is_empty()).count();
    let (table, after) = screen[begin..].split_at(rows);
    (table, screen[..begin].iter().chain(after).collect())
}

/// Checks that each row has only numbers of its worker, that the busiest workers come first, and that all are counted.
fn check(view: &View, width: u16, known: &BTreeSet<String>) {
    let screen = screen(view, &Controls::default(), width, 50);
    let context = || format!("{width} columns:\n{}", screen.join("\n"));
    let (table, others) = parts(&screen);
    let percent = |worker: usize| {
        view.workers[worker]
            .utilization
            .map(|busy| format!("{:.0}", busy * 100.0))
    };
    let mut order: Vec<usize> = (0..view.workers.len()).collect();
    order.sort_by(|&one, &other| {
        let busy = |worker: usize| view.workers[worker].utilization;
        busy(other).partial_cmp(&busy(one)).unwrap()
    });
    let mut next = order.into_iter();
    for row in table {
        let worker = next.next().unwrap_or_else(|| panic!("{}", context()));
        let expected: Vec<String> = if row.contains(" more") {
            vec![(next.by_ref().count() + 1).to_string(), percent(worker).unwrap()]
        } else {
            let row = &view.workers[worker];
            [row.polls_per_second, row.parks_per_second, row.steals_per_second]
                .map(|value| rate(value).to_string())
                .into_iter()
                .chain([row.name.clone(), (1_000 + worker).to_string(), "12.3".to_owned()])
                .chain(percent(worker))
                .collect()
        };
        assert!(
            row.starts_with(&view.workers[worker].name) || row.contains(" more"),
            "{row}: {}",
            context()
        );
        for number in numbers(row) {
            assert!(expected.contains(&number), "{number} in {row:?}: {}", context());
        }
    }
    assert_eq!(next.count(), 0, "a worker is missing: {}", context());
    for line in others {
        for number in numbers(line) {
            assert!(known.contains(&number), "{number} in {line:?}: {}", context());
        }
    }
}

#[test]
fn every_width_and_number_of_workers_shows_no_wrong_digit() {
    let (all_widths, all_workers) = (40..=200, 1..=256);
    let whole = screen(&view(1), &Controls::default(), 300, 50);
    let known: BTreeSet<String> = parts(&whole).1.iter().flat_map(|line| numbers(line)).collect();
    assert!(
        known.contains("12,345,678") && known.contains("1,033"),
        "{known:?}"
    );
    for workers in [1, 9, 256] {
        let view = view(workers);
        all_widths.clone().for_each(|width| check(&view, width, &known));
    }
    for workers in all_workers {
        let view = view(workers);
        for width in [40, 200] {
            check(&view, width, &known);
        }
    }
}

#[test]
fn a_screen_shows_every_part() {
    let screen = screen(&view(2), &Controls::default(), 100, 40).join("\n");
    for part in [
        "http://127.0.0.1:9000/snapshot   12,345,678 answered   q ends   b p k s n sort: busy   / filter",
        "1        ██████░░░░░░░░░░░  37% 98,007,919 1,004,001  200,311 polling src/report.rs:1001 for 12.3 ms",
        "1,033 alive   1,033 covered   2,000 spawned/s",
        "0 global   - blocking",
        "poll time       1.79 us       -       -       - 62.0 ms",
        "src/report.rs:88     82%   4,210      62.0 ms  81.5 ms",
        "80.4 ms  src/quick.rs:14 waited for src/report.rs:88",
        "1 of 3 waiting tasks  src/lost.rs:7",
        "12 stalls since the start; long polls in progress:",
        "worker 1: in progress for 61.2 ms",
    ] {
        assert!(screen.contains(part), "{part:?} is not in\n{screen}");
    }
}

#[test]
fn a_low_or_tiny_window_is_drawn_too() {
    for (width, height) in [(1, 1), (20, 3), (300, 5), (39, 24)] {
        screen(&view(256), &Controls::default(), width, height);
    }
    let mut terminal = Terminal::new(TestBackend::new(60, 5)).unwrap();
    terminal
        .draw(|frame| draw_start(frame, "http://127.0.0.1:3000"))
        .unwrap();
    assert!(terminal.backend().to_string().contains("measuring"));
}

fn press(controls: &mut Controls, keys: &str) -> Effect {
    let press = |key| controls.press(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    keys.chars().map(press).last().unwrap()
}

/// The names of the workers in the table.
fn names(view: &View, controls: &Controls) -> Vec<String> {
    let screen = screen(view, controls, 120, 60);
    let rows = parts(&screen).0.iter();
    rows.map(|row| row.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn keys_sort_the_workers() {
    let mut view = view(3);
    let values = [
        (0.2, 30.0, 5.0, Some(1.0)),
        (0.9, 10.0, 6.0, None),
        (0.5, 20.0, 7.0, Some(2.0)),
    ];
    for (row, (busy, polls, parks, steals)) in view.workers.iter_mut().zip(values) {
        row.utilization = Some(busy);
        row.polls_per_second = Some(polls);
        row.parks_per_second = Some(parks);
        row.steals_per_second = steals;
    }
    let mut controls = Controls::default();
    assert_eq!(names(&view, &controls), ["1", "2", "0", "external"]);
    for (key, order) in [
        ("p", ["0", "2", "1"]),
        ("k", ["2", "1", "0"]),
        ("s", ["2", "0", "1"]),
        ("n", ["0", "1", "2"]),
    ] {
        assert_eq!(press(&mut controls, key), Effect::Redraw);
        assert_eq!(
            names(&view, &controls),
            [&order[..], &["external"]].concat(),
            "{key}"
        );
    }
}

#[test]
fn a_filter_shows_the_matching_workers_and_hot_spots() {
    let (view, mut controls) = (view(20), Controls::default());
    press(&mut controls, "/RS:1004");
    assert_eq!(names(&view, &controls), ["4"]);
    let lines = screen(&view, &controls, 120, 60).join("\n");
    assert!(
        lines.contains("filter: RS:1004_") && !lines.contains(" 82% ") && !lines.contains(" 61% "),
        "{lines}"
    );
    let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
    controls.press(key(KeyCode::Backspace));
    controls.press(key(KeyCode::Enter));
    assert_eq!(names(&view, &controls).len(), 10);
    assert_eq!(
        controls.press(key(KeyCode::Esc)),
        Effect::Redraw,
        "clears the filter"
    );
    assert_eq!(names(&view, &controls).len(), 21);
    assert_eq!(controls.press(key(KeyCode::Esc)), Effect::Quit);
}

#[test]
fn the_line_has_the_values_of_the_screen() {
    assert_eq!(
        view(2).line(),
        "http://127.0.0.1:9000/snapshot  12,345,678 answered  busy 0% 37%  196,007,919 polls/s  \
         poll time p50 1.79 us p99 - max <= 62.0 ms  stalls since the start 12"
    );
}
