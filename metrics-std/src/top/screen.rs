//! Opens the terminal, reads its keys and its size, and restores it.

use super::controls::{Controls, Effect};
use super::layout::{draw, draw_start};
use super::view::View;
use core::fmt;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use std::io;
use std::time::Instant;

/// The terminal while a view is drawn on it. Dropping it restores the terminal. A panic also restores it before its message is printed.
pub struct Screen {
    terminal: DefaultTerminal,
    controls: Controls,
    title: String,
    view: Option<View>,
}

/// The action that the user requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The program continues.
    Continue,
    /// The program ends.
    Quit,
}

impl Screen {
    /// Opens the terminal (alternate screen, raw mode) and draws the title on it.
    ///
    /// # Errors
    /// Returns an error if standard output is not a terminal.
    pub fn open(title: &str) -> io::Result<Self> {
        let mut screen = Self {
            terminal: ratatui::try_init()?,
            controls: Controls::default(),
            title: title.to_owned(),
            view: None,
        };
        screen.redraw()?;
        Ok(screen)
    }

    /// Draws these values, and keeps them to draw them again when a key is pressed or the window changes its size.
    ///
    /// # Errors
    /// Returns an error if the terminal can't be written.
    pub fn draw(&mut self, view: View) -> io::Result<()> {
        self.view = Some(view);
        self.redraw()
    }

    fn redraw(&mut self) -> io::Result<()> {
        self.terminal.draw(|frame| match &self.view {
            Some(view) => draw(frame, view, &self.controls),
            None => draw_start(frame, &self.title),
        })?;
        Ok(())
    }

    /// Handles keys until `deadline`, or until one ends the program.
    ///
    /// # Errors
    /// Returns an error if the terminal can't be read or written.
    pub fn run_until(&mut self, deadline: Instant) -> io::Result<Action> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !event::poll(left)? {
                return Ok(Action::Continue);
            }
            let effect = match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => self.controls.press(key),
                Event::Resize(..) => Effect::Redraw,
                _ => Effect::Nothing,
            };
            match effect {
                Effect::Nothing => {}
                Effect::Redraw => self.redraw()?,
                Effect::Quit => return Ok(Action::Quit),
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}
