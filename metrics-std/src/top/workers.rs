//! The table of workers.

use super::fit::{columns, cut};
use super::format::{Maybe, rate};
use super::view::WorkerRow;
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};

/// The width of the busy bar in columns, if there is room.
const BAR: usize = 20;
/// The minimum useful width of a worker's current state.
const LEAST_NOW: usize = 16;

/// Returns the header and at most `room` of the rows. If there are more, the last line is their number and their maximum busy ratio.
/// `all` determines the widths, so that a filter does not move the columns.
pub(super) fn lines(all: &[WorkerRow], rows: &[&WorkerRow], width: usize, room: usize) -> Vec<Line<'static>> {
    let shown = if rows.len() <= room {
        rows.len()
    } else {
        room.saturating_sub(1)
    };
    let others = rows.get(shown..).unwrap_or_default();
    let table = WorkerTable::new(all, width);
    let mut lines = vec![table.header()];
    lines.extend(rows.iter().take(shown).map(|worker| table.row(worker)));
    if !others.is_empty() && room > 0 {
        let busiest = others
            .iter()
            .filter_map(|worker| worker.utilization)
            .reduce(f64::max);
        let others = others.len();
        let text = match busiest {
            Some(busy) => format!("{others} more, the busiest {:.0}%", busy * 100.0),
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
        self.line(cells(worker), Some(worker.utilization))
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
        Maybe(worker.utilization.map(|busy| format!("{:.0}%", busy * 100.0))).to_string(),
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
