//! The order and the filter that the user chose with keys.

use super::hot_spots::HotSpot;
use super::view::WorkerRow;
use core::cmp::Ordering;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The value by which the workers are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Busy,
    Polls,
    Parks,
    Steals,
    Number,
}

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    Redraw,
    Quit,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Controls {
    sort: Sort,
    filter: String,
    /// Whether keys are added to the filter.
    is_typing: bool,
}

impl Controls {
    /// In raw mode Ctrl-C is a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Effect {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Effect::Quit,
            KeyCode::Esc if self.is_typing || !self.filter.is_empty() => {
                self.filter.clear();
                self.is_typing = false;
            }
            KeyCode::Enter if self.is_typing => self.is_typing = false,
            KeyCode::Backspace if self.is_typing => {
                self.filter.pop();
            }
            KeyCode::Char(c) if self.is_typing => self.filter.push(c),
            KeyCode::Char('q') | KeyCode::Esc => return Effect::Quit,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('b') => self.sort = Sort::Busy,
            KeyCode::Char('p') => self.sort = Sort::Polls,
            KeyCode::Char('k') => self.sort = Sort::Parks,
            KeyCode::Char('s') => self.sort = Sort::Steals,
            KeyCode::Char('n') => self.sort = Sort::Number,
            _ => return Effect::Nothing,
        }
        Effect::Redraw
    }

    /// Returns the keys and what they do now.
    pub(super) fn keys(&self) -> Vec<String> {
        let order = match self.sort {
            Sort::Busy => "busy",
            Sort::Polls => "polls",
            Sort::Parks => "parks",
            Sort::Steals => "steals",
            Sort::Number => "number",
        };
        let filter = if self.is_typing {
            format!("filter: {}_", self.filter)
        } else if self.filter.is_empty() {
            "/ filter".to_owned()
        } else {
            format!("filter: {}  Esc clears", self.filter)
        };
        vec!["q ends".to_owned(), format!("b p k s n sort: {order}"), filter]
    }

    /// Returns the workers that the filter shows, in the chosen order: largest values first, and those without a value last.
    pub(super) fn workers<'a>(&self, workers: &'a [WorkerRow]) -> Vec<&'a WorkerRow> {
        let shown = |worker: &&WorkerRow| self.shows(&worker.name) || self.shows(&worker.state);
        let mut rows: Vec<&WorkerRow> = workers.iter().filter(shown).collect();
        let value = |worker: &WorkerRow| match self.sort {
            Sort::Busy => worker.utilization,
            Sort::Polls => worker.polls_per_second,
            Sort::Parks => worker.parks_per_second,
            Sort::Steals => worker.steals_per_second,
            Sort::Number => None,
        };
        // Stable: equal values stay in the order of the workers, and the external threads are last.
        rows.sort_by(|one, other| {
            let values = value(other).partial_cmp(&value(one)).unwrap_or(Ordering::Equal);
            one.index.is_none().cmp(&other.index.is_none()).then(values)
        });
        rows
    }

    /// Returns the spawn locations, or the groups, that the filter shows.
    pub(super) fn hot_spots<'a>(&self, spots: &'a [HotSpot]) -> impl Iterator<Item = &'a HotSpot> {
        spots.iter().filter(|spot| self.shows(&spot.name))
    }

    fn shows(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter.to_lowercase())
    }
}
