//! The tables of quantiles.

use super::fit::columns;
use super::format::{Maybe, Nanos};
use super::view::{HistogramRow, Quantiles};
use ratatui::style::Stylize;
use ratatui::text::Line;

/// Returns the heading and a row for each histogram. The columns for which there is no room are left out.
pub(super) fn lines(
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
