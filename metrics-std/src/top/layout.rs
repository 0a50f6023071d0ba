//! Arranges the parts of the screen.

use super::controls::Controls;
use super::fit::{cut, pack};
use super::format::{Grouped, Maybe, rate};
use super::view::{Tasks, View};
use super::{hot_spots, quantiles, workers};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

/// Draws the values in the order of a new [`Screen`](super::Screen).
impl Widget for &View {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        Paragraph::new(lines(self, &Controls::default(), area)).render(area, buffer);
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, view: &View, controls: &Controls) {
    let area = frame.area();
    frame.render_widget(Paragraph::new(lines(view, controls, area)), area);
}

fn lines(view: &View, controls: &Controls, area: Rect) -> Vec<Line<'static>> {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let parts =
        |parts: &[String]| -> Vec<Line<'static>> { pack(parts, width).into_iter().map(Line::from).collect() };
    let title = parts(&[view.title.clone(), controls.keys()].concat());
    let mut below = vec![
        parts(&tasks(&view.tasks)),
        quantiles::lines("last interval", &view.histograms, width, |row| row.interval),
        view.hot_spots
            .as_ref()
            .map(|spots| hot_spots::lines("hot spots", controls.hot_spots(spots), width))
            .unwrap_or_default(),
        match &*view.groups {
            [] => Vec::new(),
            groups => hot_spots::lines("groups", controls.hot_spots(groups), width),
        },
        list("waits over the last events, in task-seconds:", &view.blame, width),
        list("tasks that nobody can wake:", &view.unwakeable, width),
        stalls(view, width),
        quantiles::lines("since the start", &view.histograms, width, |row| row.since_start),
    ];
    below.retain(|lines| !lines.is_empty());
    // In a low window the workers have priority: the parts below them are left out, starting with the last one.
    let room = |below: &[Vec<Line<'_>>]| {
        let lines: usize = below.iter().map(|lines| lines.len() + 1).sum();
        height.saturating_sub(title.len() + lines + 1)
    };
    let rows = controls.workers(&view.workers);
    let least = (rows.len() + 1).min(6);
    while !below.is_empty() && room(&below) < least {
        below.pop();
    }
    let table = workers::lines(&view.workers, &rows, width, room(&below).saturating_sub(1));
    let mut lines = title;
    for section in core::iter::once(table).chain(below) {
        lines.push(Line::default());
        lines.extend(section);
    }
    lines
}

/// Draws the screen before the first interval is over.
pub(super) fn draw_start(frame: &mut Frame<'_>, title: &str) {
    let parts = [title.to_owned(), "measuring".to_owned(), "q ends".to_owned()];
    let lines = pack(&parts, usize::from(frame.area().width));
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines), frame.area());
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

/// Returns the lines below their heading; nothing without a line.
fn list(heading: &str, lines: &[String], width: usize) -> Vec<Line<'static>> {
    if lines.is_empty() {
        return Vec::new();
    }
    let lines = lines.iter().map(|line| Line::from(cut(line, width)));
    core::iter::once(Line::from(cut(heading, width)).dim())
        .chain(lines)
        .collect()
}

fn stalls(view: &View, width: usize) -> Vec<Line<'static>> {
    let count = Maybe(view.stall_count.map(Grouped));
    let heading = match (view.stall_count, &*view.stalls) {
        (Some(0), []) => "no stall since the start".to_owned(),
        (_, []) => format!("{count} stalls since the start"),
        _ => format!("{count} stalls since the start; {}:", view.stalls_heading),
    };
    match &*view.stalls {
        [] => vec![Line::from(cut(&heading, width)).dim()],
        stalls => list(&heading, stalls, width),
    }
}
