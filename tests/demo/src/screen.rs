//! The live screen, redrawn once per second, and the line per second that replaces it if there is no terminal.

use crate::fit::{columns, cut, largest, pack};
use crate::hot_spots;
use crate::view::{Grouped, HistogramRow, Maybe, Nanos, Quantiles, Tasks, View, WorkerRow, rate};
use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::io;
use std::time::Instant;

/// The terminal while the demo draws on it. Dropping it restores the terminal. A panic also restores it before its
/// message is printed.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal (alternate screen, raw mode) and draws on it at once.
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let mut terminal = ratatui::try_init()?;
        terminal.draw(|frame| draw_start(frame, address))?;
        Ok(Self { terminal })
    }

    pub(crate) fn draw(&mut self, view: &View) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, view))?;
        Ok(())
    }

    /// Waits until `deadline` and returns whether a key that ends the demo was pressed. In raw mode Ctrl-C is a key.
    pub(crate) fn quits_before(deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !event::poll(left)? {
                return Ok(false);
            }
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                let control_c =
                    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(true);
                }
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The width of the busy bar in columns, if there is room.
const BAR: usize = 20;
/// The minimum useful width of a worker's current state.
const LEAST_NOW: usize = 16;

pub(crate) fn draw(frame: &mut Frame<'_>, view: &View) {
    let (width, height) = (usize::from(frame.area().width), usize::from(frame.area().height));
    let title = title(view, width);
    let mut below = vec![
        pack(&tasks(&view.tasks), width)
            .into_iter()
            .map(Line::from)
            .collect(),
        quantiles("last second", &view.histograms, width, |row| row.last_second),
        view.hot_spots
            .as_ref()
            .map(|spots| hot_spots::lines(spots, width))
            .unwrap_or_default(),
        stalls(view.stall_count, &view.stalls, width),
        quantiles("since the start", &view.histograms, width, |row| row.since_start),
    ];
    below.retain(|lines| !lines.is_empty());
    // In a low window the workers have priority: the parts below them are left out, starting with the last one.
    let room = |below: &[Vec<Line<'_>>]| {
        let lines: usize = below.iter().map(|lines| lines.len() + 1).sum();
        height.saturating_sub(title.len() + lines + 1)
    };
    let least = (view.workers.len() + 1).min(6);
    while !below.is_empty() && room(&below) < least {
        below.pop();
    }
    let rows = room(&below).saturating_sub(1);
    let mut lines = title;
    for section in core::iter::once(workers(&view.workers, width, rows)).chain(below) {
        lines.push(Line::default());
        lines.extend(section);
    }
    frame.render_widget(Paragraph::new(lines), frame.area());
}

/// Draws the screen of the first second.
fn draw_start(frame: &mut Frame<'_>, address: &str) {
    let parts = [
        format!("demo on http://{address}"),
        "measuring the first second".to_owned(),
        "q ends".to_owned(),
    ];
    let lines = pack(&parts, usize::from(frame.area().width));
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines), frame.area());
}

fn title(view: &View, width: usize) -> Vec<Line<'static>> {
    let parts = [
        format!("demo on http://{}", view.address),
        format!("{} s", view.elapsed.as_secs()),
        format!("{} requests/s", rate(Some(view.requests_per_second))),
        format!("{} answered", Grouped(view.requests)),
        "q ends".to_owned(),
    ];
    pack(&parts, width).into_iter().map(Line::from).collect()
}

/// Returns the header and at most `room` rows. If there are more workers, shows the busiest and the maximum busy ratio of the others.
fn workers(workers: &[WorkerRow], width: usize, room: usize) -> Vec<Line<'static>> {
    let (shown, others) = if workers.len() <= room {
        ((0..workers.len()).collect(), 0)
    } else {
        let busy: Vec<_> = workers.iter().map(|worker| worker.busy_ratio).collect();
        let shown = largest(&busy, room.saturating_sub(1));
        let others = workers.len() - shown.len();
        (shown, others)
    };
    let table = WorkerTable::new(workers, width);
    let mut lines = vec![table.header()];
    lines.extend(shown.iter().map(|&worker| table.row(&workers[worker])));
    if others > 0 && room > 0 {
        let left = (0..workers.len()).filter(|worker| !shown.contains(worker));
        let busiest = left
            .filter_map(|worker| workers[worker].busy_ratio)
            .fold(None, |most: Option<f64>, busy| {
                Some(most.map_or(busy, |most| most.max(busy)))
            });
        let text = match busiest {
            Some(busy) => format!("{others} more, each at most {:.0}% busy", busy * 100.0),
            None => format!("{others} more"),
        };
        lines.push(Line::from(cut(&text, width)).dim());
    }
    lines
}

/// The columns for which the window has room. A number is never truncated.
struct WorkerTable {
    /// The widths of name, busy ratio without bar, polls, parks, steals and state.
    widths: [usize; 6],
    shown: [bool; 6],
    bar: usize,
}

impl WorkerTable {
    const HEADINGS: [&'static str; 6] = ["worker", "busy", "polls/s", "parks/s", "steals/s", "now"];

    fn new(workers: &[WorkerRow], width: usize) -> Self {
        let mut widths = Self::HEADINGS.map(str::len);
        // The row of external threads is not always present.
        widths[0] = widths[0].max("external".len());
        for worker in workers {
            for (width, cell) in widths.iter_mut().zip(cells(worker)) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let longest_state = widths[5];
        widths[5] = longest_state.min(LEAST_NOW);
        let shown = columns(widths, [0, 1, 2, 5, 3, 4], width);
        let used: usize = (0..6)
            .filter(|&column| shown[column])
            .map(|column| widths[column] + 1)
            .sum();
        let mut left = (width + 1).saturating_sub(used);
        if shown[5] {
            let more = left.min(longest_state - widths[5]);
            widths[5] += more;
            left -= more;
        }
        let bar = match left.saturating_sub(1).min(BAR) {
            0..5 => 0,
            bar => bar,
        };
        Self { widths, shown, bar }
    }

    fn header(&self) -> Line<'static> {
        let mut headings = Self::HEADINGS.map(str::to_owned);
        if self.bar > 0 {
            headings[1] = format!("{:<width$}", "busy", width = self.bar + 1 + self.widths[1]);
        }
        self.line(headings, None).dim()
    }

    fn row(&self, worker: &WorkerRow) -> Line<'static> {
        self.line(cells(worker), Some(worker.busy_ratio))
    }

    #[allow(
        clippy::option_option,
        reason = "the head has no bar, and a worker without a ratio an empty one"
    )]
    fn line(&self, cells: [String; 6], busy: Option<Option<f64>>) -> Line<'static> {
        let mut spans = Vec::new();
        for (column, cell) in cells
            .into_iter()
            .enumerate()
            .filter(|&(column, _)| self.shown[column])
        {
            if !spans.is_empty() {
                spans.push(Span::from(" "));
            }
            if let (1, Some(busy), 1..) = (column, busy, self.bar) {
                spans.extend(busy_bar(busy, self.bar));
                spans.push(Span::from(" "));
            }
            let width = self.widths[column];
            spans.push(Span::from(match column {
                0 => format!("{cell:<width$}"),
                5 => cut(&cell, width),
                _ => format!("{cell:>width$}"),
            }));
        }
        Line::from(spans)
    }
}

/// The cells of a worker, without the bar.
fn cells(worker: &WorkerRow) -> [String; 6] {
    [
        worker.name.clone(),
        Maybe(worker.busy_ratio.map(|busy| format!("{:.0}%", busy * 100.0))).to_string(),
        rate(worker.polls_per_second).to_string(),
        rate(worker.parks_per_second).to_string(),
        rate(worker.steals_per_second).to_string(),
        worker.state.clone(),
    ]
}

fn busy_bar(busy: Option<f64>, width: usize) -> Vec<Span<'static>> {
    let Some(busy) = busy else {
        return vec![Span::from(" ".repeat(width))];
    };
    #[allow(clippy::cast_sign_loss, reason = "the ratio lies between 0 and 1")]
    let full = ((busy * width as f64).round() as usize).min(width);
    let color = match busy {
        ..0.6 => Color::Green,
        ..0.9 => Color::Yellow,
        _ => Color::Red,
    };
    vec![
        Span::styled("█".repeat(full), Style::new().fg(color)),
        Span::from("░".repeat(width - full)).dim(),
    ]
}

fn tasks(tasks: &Tasks) -> [String; 5] {
    let count = |value: Option<u64>| Maybe(value.map(Grouped));
    [
        format!("tasks  {} alive", count(tasks.alive)),
        format!("{} covered", count(tasks.covered)),
        format!("{} spawned/s", rate(tasks.spawned_per_second)),
        format!("queued  {} global", count(tasks.global_queue)),
        format!("{} blocking", count(tasks.blocking_queue)),
    ]
}

fn quantiles(
    title: &'static str,
    rows: &[HistogramRow],
    width: usize,
    period: impl Fn(&HistogramRow) -> Quantiles,
) -> Vec<Line<'static>> {
    let heading = Quantiles::HEADINGS.map(str::to_owned);
    let mut table = vec![(title, heading)];
    table.extend(rows.iter().map(|row| {
        let cells = period(row).all().map(|value| Maybe(value.map(Nanos)).to_string());
        (row.name, cells)
    }));
    // The minimum widths align both tables and keep the columns in place from one second to the next.
    let mut widths = ["since the start".len(), 7, 7, 7, 7, 7];
    for (name, cells) in &table {
        widths[0] = widths[0].max(name.len());
        for (width, cell) in widths[1..].iter_mut().zip(cells) {
            *width = (*width).max(cell.len());
        }
    }
    let shown = columns(widths, [0, 3, 5, 1, 2, 4], width);
    let line = |(name, cells): (&str, [String; 5])| {
        let name = format!("{name:<width$}", width = widths[0]);
        let cells = (1..)
            .zip(cells)
            .map(|(column, cell)| format!("{cell:>width$}", width = widths[column]));
        let cells: Vec<String> = core::iter::once(name)
            .chain(cells)
            .zip(shown)
            .filter_map(|(cell, shown)| shown.then_some(cell))
            .collect();
        Line::from(cells.join(" "))
    };
    let mut lines: Vec<Line<'static>> = table.into_iter().map(line).collect();
    lines[0] = core::mem::take(&mut lines[0]).dim();
    lines
}

fn stalls(count: Option<u64>, stalls: &[String], width: usize) -> Vec<Line<'static>> {
    let heading = match count {
        Some(0) => "no stall yet".to_owned(),
        count => format!("{} stalls, the last ones:", Maybe(count.map(Grouped))),
    };
    let lines = stalls.iter().map(|stall| Line::from(cut(stall, width)));
    core::iter::once(Line::from(cut(&heading, width)).dim())
        .chain(lines)
        .collect()
}

/// Formats the second as one line.
pub(crate) fn line(view: &View) -> String {
    let busy: Vec<String> = view
        .workers
        .iter()
        .map(|worker| Maybe(worker.busy_ratio.map(|busy| format!("{:.0}%", busy * 100.0))).to_string())
        .collect();
    let polls = view.workers.iter().filter_map(|worker| worker.polls_per_second);
    let mut text = format!(
        "{:>4} s  {} requests/s  busy {}  {} polls/s",
        view.elapsed.as_secs(),
        rate(Some(view.requests_per_second)),
        busy.join(" "),
        rate(polls.reduce(|sum, polls| sum + polls)),
    );
    for row in &view.histograms {
        let quantiles = row.last_second;
        let part = format!(
            "  {} p50 {} p99 {} max <= {}",
            row.name,
            Maybe(quantiles.p50.map(Nanos)),
            Maybe(quantiles.p99.map(Nanos)),
            Maybe(quantiles.max.map(Nanos)),
        );
        text.push_str(&part);
    }
    text + &format!("  stalls {}", Maybe(view.stall_count.map(Grouped)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn view() -> View {
        View {
            address: "127.0.0.1:3000".into(),
            elapsed: Duration::from_secs(12),
            requests_per_second: 1999.6,
            requests: 24_000,
            workers: vec![
                WorkerRow {
                    name: "0".into(),
                    busy_ratio: Some(0.5),
                    polls_per_second: Some(4210.2),
                    parks_per_second: Some(800.0),
                    steals_per_second: None,
                    state: "parked".into(),
                },
                WorkerRow {
                    name: "external".into(),
                    busy_ratio: None,
                    polls_per_second: Some(0.0),
                    parks_per_second: None,
                    steals_per_second: None,
                    state: "-".into(),
                },
            ],
            tasks: Tasks {
                alive: Some(33),
                covered: Some(33),
                spawned_per_second: Some(2000.0),
                global_queue: Some(0),
                blocking_queue: None,
            },
            histograms: vec![HistogramRow {
                name: "poll time",
                last_second: Quantiles {
                    p50: Some(1_792),
                    max: Some(62_000_000),
                    ..Quantiles::default()
                },
                since_start: Quantiles::default(),
            }],
            hot_spots: None,
            stall_count: Some(12),
            stalls: vec!["worker 1 was stuck".into()],
        }
    }

    fn screen(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen_shows_every_part() {
        let screen = screen(&view(), 100, 24);
        for part in [
            "on http://127.0.0.1:3000   12 s   2,000 requests/s   24,000 answered",
            "0        ██████████░░░░░░░░░░  50%   4,210     800        - parked",
            "33 alive   33 covered   2,000 spawned/s",
            "0 global   - blocking",
            "poll time       1.79 us       -       -       - 62.0 ms",
            "12 stalls, the last ones:",
            "worker 1 was stuck",
        ] {
            assert!(screen.contains(part), "{part:?} is not in\n{screen}");
        }
    }

    /// Returns the numbers in a text.
    fn numbers(text: &str) -> Vec<String> {
        let is_part = |c: char| c.is_ascii_digit() || c == ',' || c == '.';
        text.split(|c| !is_part(c))
            .map(|number| number.trim_matches([',', '.']).to_owned())
            .filter(|number| !number.is_empty())
            .collect()
    }

    #[test]
    fn a_narrow_screen_shows_no_number_with_digits_missing() {
        let mut view = view();
        view.requests = 12_345_678;
        view.workers[0].polls_per_second = Some(98_765_432.0);
        view.stalls = vec!["12.34 s  worker 1: 61.2 ms (reported after 20.1 ms)  src/service.rs:114".into()];
        let whole = numbers(&screen(&view, 200, 40));
        assert!(whole.contains(&"98,765,432".to_owned()) && whole.contains(&"12,345,678".to_owned()));
        for width in 1..=120 {
            for number in numbers(&screen(&view, width, 40)) {
                assert!(whole.contains(&number), "{number} at {width} columns");
            }
        }
    }

    #[test]
    fn of_many_workers_the_busiest_are_shown() {
        let mut view = view();
        let idle = |n: usize| WorkerRow {
            name: n.to_string(),
            busy_ratio: Some(0.01),
            polls_per_second: Some(1.0),
            parks_per_second: Some(1.0),
            steals_per_second: None,
            state: "parked".into(),
        };
        view.workers = (0..64).map(idle).collect();
        view.workers[41].busy_ratio = Some(0.97);
        view.workers[63].busy_ratio = Some(0.83);
        let screen = screen(&view, 80, 24);
        for part in [" 97%", " 83%", "more, each at most 1% busy", "33 alive"] {
            assert!(screen.contains(part), "{part:?} is not in\n{screen}");
        }
    }

    #[test]
    fn a_screen_is_drawn_before_the_first_second_is_over() {
        let mut terminal = Terminal::new(TestBackend::new(60, 5)).unwrap();
        terminal
            .draw(|frame| draw_start(frame, "127.0.0.1:3000"))
            .unwrap();
        let screen = terminal.backend().to_string();
        assert!(screen.contains("measuring the first second"), "{screen}");
    }

    #[test]
    fn a_window_too_small_for_it_all_is_drawn_too() {
        for (width, height) in [(1, 1), (20, 3), (300, 5)] {
            screen(&view(), width, height);
        }
    }

    #[test]
    fn the_line_says_the_same() {
        assert_eq!(
            line(&view()),
            "  12 s  2,000 requests/s  busy 50% -  4,210 polls/s  poll time p50 1.79 us p99 - max <= 62.0 ms  stalls 12"
        );
    }
}
