//! The live screen, redrawn once a second, and the one line a second that takes its place where there is no terminal.

use crate::view::{Grouped, HistogramRow, Maybe, Nanos, Quantiles, Tasks, View, WorkerRow, rate};
use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};
use std::io;
use std::time::Instant;

/// The terminal while the demo has it. Dropping it gives the terminal back as it was; a panic does so too, before its
/// message is printed.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal: alternate screen, raw mode.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            terminal: ratatui::try_init()?,
        })
    }

    pub(crate) fn draw(&mut self, view: &View) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, view))?;
        Ok(())
    }

    /// Waits until `deadline` and says whether a key asked for the end before that. In raw mode Ctrl-C is a key.
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

/// Columns of the busy bar.
const BAR: usize = 20;

fn draw(frame: &mut Frame<'_>, view: &View) {
    let workers = u16::try_from(view.workers.len()).unwrap_or(u16::MAX);
    let histograms = u16::try_from(view.histograms.len()).unwrap_or(u16::MAX);
    let [title, worker_rows, tasks, last, start, stalls] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(workers.saturating_add(2)),
        Constraint::Length(2),
        Constraint::Length(histograms.saturating_add(2)),
        Constraint::Length(histograms.saturating_add(2)),
        Constraint::Fill(1),
    ])
    .areas(frame.area());
    frame.render_widget(title_line(view), title);
    frame.render_widget(worker_table(&view.workers), worker_rows);
    frame.render_widget(task_line(&view.tasks), tasks);
    frame.render_widget(
        quantile_table("last second", &view.histograms, |row| row.last_second),
        last,
    );
    frame.render_widget(
        quantile_table("since the start", &view.histograms, |row| row.since_start),
        start,
    );
    frame.render_widget(stall_list(&view.stalls), stalls);
}

fn title_line(view: &View) -> Paragraph<'_> {
    Paragraph::new(Line::from(vec![
        Span::from("demo ").bold(),
        Span::from(format!(
            "on http://{}   {} s   {} requests/s, {} answered   ",
            view.address,
            view.elapsed.as_secs(),
            rate(Some(view.requests_per_second)),
            Grouped(view.requests),
        )),
        Span::from("q ends").dim(),
    ]))
}

fn worker_table(workers: &[WorkerRow]) -> Table<'_> {
    let rows = workers.iter().map(|worker| {
        Row::new([
            Line::from(worker.name.as_str()),
            busy_bar(worker.busy_ratio),
            Line::from(rate(worker.polls_per_second).to_string()).alignment(Alignment::Right),
            Line::from(rate(worker.parks_per_second).to_string()).alignment(Alignment::Right),
            Line::from(rate(worker.steals_per_second).to_string()).alignment(Alignment::Right),
            Line::from(worker.state.as_str()),
        ])
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Length(u16::try_from(BAR).unwrap_or(u16::MAX) + 6),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Fill(1),
    ];
    let right = |text| Line::from(text).alignment(Alignment::Right);
    Table::new(rows, widths).column_spacing(1).header(
        Row::new([
            Line::from("worker"),
            Line::from("busy"),
            right("polls/s"),
            right("parks/s"),
            right("steals/s"),
            Line::from("now"),
        ])
        .dim(),
    )
}

fn busy_bar(busy: Option<f64>) -> Line<'static> {
    let Some(busy) = busy else {
        return Line::from(format!("{:>width$}", "-", width = BAR + 5));
    };
    #[allow(clippy::cast_sign_loss, reason = "the ratio lies between 0 and 1")]
    let full = ((busy * BAR as f64).round() as usize).min(BAR);
    let color = match busy {
        ..0.6 => Color::Green,
        ..0.9 => Color::Yellow,
        _ => Color::Red,
    };
    Line::from(vec![
        Span::styled("█".repeat(full), Style::new().fg(color)),
        Span::from("░".repeat(BAR - full)).dim(),
        Span::from(format!("{:>4.0}%", busy * 100.0)),
    ])
}

fn task_line(tasks: &Tasks) -> Paragraph<'static> {
    let count = |value: Option<u64>| Maybe(value.map(Grouped));
    Paragraph::new(format!(
        "tasks  {} alive, {} covered, {} spawned/s   queued  {} global, {} blocking",
        count(tasks.alive),
        count(tasks.covered),
        rate(tasks.spawned_per_second),
        count(tasks.global_queue),
        count(tasks.blocking_queue),
    ))
}

fn quantile_table<'a>(
    title: &'static str,
    rows: &'a [HistogramRow],
    period: impl Fn(&HistogramRow) -> Quantiles,
) -> Table<'a> {
    let right = |text: String| Line::from(text).alignment(Alignment::Right);
    let lines = rows.iter().map(|row| {
        let cells = period(row)
            .all()
            .map(|value| right(Maybe(value.map(Nanos)).to_string()));
        Row::new([Line::from(row.name)].into_iter().chain(cells))
    });
    let widths = [Constraint::Length(18)]
        .into_iter()
        .chain([Constraint::Length(10); 5]);
    let headings = Quantiles::HEADINGS.map(|heading| right(heading.to_owned()).dim());
    Table::new(lines, widths)
        .column_spacing(1)
        .header(Row::new([Line::from(title).dim()].into_iter().chain(headings)))
}

fn stall_list(stalls: &[String]) -> Paragraph<'_> {
    let heading = if stalls.is_empty() {
        "no stall yet"
    } else {
        "last stalls"
    };
    let lines = stalls.iter().map(|stall| Line::from(stall.as_str()));
    Paragraph::new(
        [Line::from(heading).dim()]
            .into_iter()
            .chain(lines)
            .collect::<Vec<_>>(),
    )
}

/// The second as one line.
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
    text + &format!("  stalls {}", view.stall_count)
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
                    name: "foreign".into(),
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
            stall_count: 1,
            stalls: vec!["worker 1 was stuck".into()],
        }
    }

    #[test]
    fn the_screen_shows_every_part() {
        let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &view())).unwrap();
        let screen = terminal.backend().to_string();
        for part in [
            "on http://127.0.0.1:3000   12 s   2,000 requests/s, 24,000 answered",
            "██████████░░░░░░░░░░  50%      4,210       800         - parked",
            "33 alive, 33 covered, 2,000 spawned/s",
            "0 global, - blocking",
            "poll time             1.79 us          -          -          -    62.0 ms",
            "worker 1 was stuck",
        ] {
            assert!(screen.contains(part), "{part:?} is not in\n{screen}");
        }
    }

    #[test]
    fn a_window_too_small_for_it_all_is_drawn_too() {
        for (width, height) in [(1, 1), (20, 3), (300, 5)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &view())).unwrap();
        }
    }

    #[test]
    fn the_line_says_the_same() {
        assert_eq!(
            line(&view()),
            "  12 s  2,000 requests/s  busy 50% -  4,210 polls/s  poll time p50 1.79 us p99 - max <= 62.0 ms  stalls 1"
        );
    }
}
