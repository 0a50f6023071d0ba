//! The result of a row, and its output formats.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::comparisons::{Figure, Goal, Row, Side};
use super::rounds::{Round, evaluate};
use super::stats::Spread;
use crate::table::aligned;

/// The result of a row.
pub(super) struct Outcome {
    pub(super) row: Row,
    /// `None` if only instructions were counted.
    pub(super) times: Option<Times>,
    pub(super) instructions: Option<f64>,
    pub(super) peer_instructions: Option<f64>,
}

/// The figures of both sides in all rounds.
pub(super) struct Times {
    pub(super) ours: Spread,
    pub(super) peer: Spread,
    /// The ratio of the medians.
    pub(super) ratio: f64,
    /// The ratios of the two figures in each round.
    pub(super) ratios: Spread,
}

impl Times {
    /// Returns `None` if a side did not report a value that the row needs.
    pub(super) fn of(row: &Row, rounds: &[Round]) -> Option<Self> {
        let pairs: Vec<(f64, f64)> = rounds
            .iter()
            .map(|round| Some((evaluate(row.ours, round)?, evaluate(row.peer, round)?)))
            .collect::<Option<_>>()?;
        let column = |pick: fn(&(f64, f64)) -> f64| Spread::of(&pairs.iter().map(pick).collect::<Vec<_>>());
        let (ours, peer) = (column(|pair| pair.0)?, column(|pair| pair.1)?);
        let ratios = column(|pair| pair.0 / pair.1)?;
        Some(Self {
            ours,
            peer,
            ratio: ours.median / peer.median,
            ratios,
        })
    }
}

impl Outcome {
    /// Returns whether the goal is reached, or `None` if there is no goal or no time was measured.
    pub(super) fn ok(&self) -> Option<bool> {
        let times = self.times.as_ref()?;
        self.row.goal.reached(times.ours.median, times.ratio)
    }

    /// Returns the row as JSON.
    pub(super) fn json(&self) -> Value {
        let times = self.times.as_ref();
        let quartiles = |spread: Spread| json!([spread.low, spread.high]);
        json!({
            "name": self.row.name,
            "number": self.row.number,
            "work": self.row.work,
            "ours": times.map(|times| times.ours.median),
            "ours_quartiles": times.map(|times| quartiles(times.ours)),
            "peer": times.map(|times| times.peer.median),
            "peer_quartiles": times.map(|times| quartiles(times.peer)),
            "peer_name": self.row.peer_name,
            "unit": self.row.unit,
            "ratio": times.map(|times| times.ratio),
            "ratio_quartiles": times.map(|times| quartiles(times.ratios)),
            "goal": self.row.goal.bound(),
            "goal_kind": match self.row.goal {
                Goal::Ratio(_) => "ratio_at_most",
                Goal::AtMost(_) => "ours_at_most",
                Goal::Reported => "none",
            },
            "ok": self.ok(),
            "instructions": self.instructions,
            "peer_instructions": self.peer_instructions,
        })
    }

    fn cells(&self) -> [String; 9] {
        let number = if self.row.number == 0 {
            String::new()
        } else {
            self.row.number.to_string()
        };
        let times = self.times.as_ref();
        let figure = |spread: fn(&Times) -> Spread| {
            times.map_or_else(String::new, |times| {
                let spread = spread(times);
                format!(
                    "{} ({}–{})",
                    short(spread.median),
                    short(spread.low),
                    short(spread.high)
                )
            })
        };
        let goal = match self.row.goal {
            Goal::Ratio(most) => format!("<= {most}"),
            Goal::AtMost(most) => format!("ours <= {most}"),
            Goal::Reported => String::new(),
        };
        let verdict = match self.ok() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let count = |count: Option<f64>| count.map_or_else(|| "–".into(), short);
        let instructions = match (self.instructions, self.peer_instructions) {
            (None, None) => String::new(),
            (ours, peer) => format!("{} / {}", count(ours), count(peer)),
        };
        [
            number,
            self.row.name.into(),
            figure(|times| times.ours),
            figure(|times| times.peer),
            self.row.unit.into(),
            times.map_or_else(String::new, |times| {
                format!(
                    "{} ({}–{})",
                    short(times.ratio),
                    short(times.ratios.low),
                    short(times.ratios.high)
                )
            }),
            goal,
            verdict.into(),
            instructions,
        ]
    }
}

/// Formats a figure with three significant digits.
pub(super) fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{figure:.2}"),
        _ => format!("{figure:.4}"),
    }
}

/// The names of the columns.
const HEAD: [&str; 9] = [
    "#",
    "row",
    "ours",
    "peer",
    "unit",
    "ratio",
    "goal",
    "",
    "instructions ours / peer",
];

/// Returns a table for a terminal.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    aligned(HEAD, &outcomes.iter().map(Outcome::cells).collect::<Vec<_>>())
}

/// Returns a Markdown table that describes the operation and the peer.
pub(super) fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| # | work | against | ours | peer | unit | ratio | goal | | instructions ours / peer |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let [number, _, ours, peer, unit, ratio, goal, verdict, instructions] = outcome.cells();
        let (work, against) = (outcome.row.work, outcome.row.peer_name);
        let _ = writeln!(
            text,
            "| {number} | {work} | {against} | {ours} | {peer} | {unit} | {ratio} | {goal} | {verdict} | {instructions} |"
        );
    }
    text
}

/// Returns a figure of counted instructions, or `None` unless every side was counted.
pub(super) fn counted(figure: Figure, counts: &BTreeMap<Side, f64>) -> Option<f64> {
    let count = |side: &Side| counts.get(side).copied();
    match figure {
        Figure::Of(side) => count(&side),
        Figure::Times(factor, side) => Some(factor * count(&side)?),
        Figure::Added { with, without } => Some(count(&with)? - count(&without)?),
        Figure::Extra(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::comparisons::{Counted, Goal, Row, stable};
    use super::super::programs::Answer;
    use super::*;

    fn row() -> Row {
        Row {
            name: "a/row",
            number: 1,
            work: "work",
            ours: Figure::Of(stable("ours")),
            peer: Figure::Of(stable("peer")),
            peer_name: "a peer",
            unit: "ns/op",
            goal: Goal::Ratio(0.5),
            counted: Counted::NOTHING,
        }
    }

    fn outcome(ours: f64) -> Outcome {
        let answer = |nanos| Answer {
            nanos,
            extras: Vec::new(),
        };
        let rounds = [Round::from([
            (stable("ours"), answer(ours)),
            (stable("peer"), answer(100.0)),
        ])];
        Outcome {
            row: row(),
            times: Times::of(&row(), &rounds),
            instructions: Some(12.0),
            peer_instructions: None,
        }
    }

    #[test]
    fn a_goal_is_met_up_to_its_bound() {
        assert_eq!(outcome(50.0).ok(), Some(true));
        assert_eq!(outcome(50.1).ok(), Some(false));
    }

    #[test]
    fn json_has_the_promised_fields() {
        let json = outcome(50.0).json();
        for field in [
            "name",
            "ours",
            "peer",
            "peer_name",
            "unit",
            "ratio",
            "goal",
            "ok",
            "instructions",
        ] {
            assert!(json.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(json["ratio"], 0.5);
        assert_eq!(json["ok"], true);
        assert_eq!(json["instructions"], 12.0);
    }

    #[test]
    fn a_missing_side_is_no_figure() {
        assert!(Times::of(&row(), &[Round::new()]).is_none());
        assert!(Times::of(&row(), &[]).is_none());
    }
}
