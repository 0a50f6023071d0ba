//! The picture of the screen in the README, drawn from a scripted runtime.

mod script;
mod svg;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::fs;
use std::path::Path;

/// If the picture is out of date, this test writes it and fails.
#[test]
fn the_picture_in_the_readme_is_what_the_screen_draws() {
    let view = script::view();
    let mut terminal = Terminal::new(TestBackend::new(96, 25)).unwrap();
    terminal
        .draw(|frame| frame.render_widget(&view, frame.area()))
        .unwrap();
    let drawn = svg::of(terminal.backend().buffer());

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/terminal.svg");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed != drawn {
        fs::write(&path, &drawn).unwrap();
        panic!(
            "docs/terminal.svg was out of date and has been written: commit it\n{}",
            terminal.backend()
        );
    }
}
