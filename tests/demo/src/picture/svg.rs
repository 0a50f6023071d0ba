//! Renders the contents of a terminal as an SVG picture.

use core::fmt::Write as _;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Size of a cell of the terminal, in pixels.
const CELL: (usize, usize) = (8, 18);
const MARGIN: usize = 12;

pub(super) fn of(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#0d1117\"/>\n"
    );
    for (y, row) in buffer.content.chunks(columns).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(looks_alike) {
            draw(&mut svg, run, MARGIN + x * CELL.0, MARGIN + y * CELL.1);
            x += run.len();
        }
    }
    svg + "</svg>\n"
}

/// Returns whether two neighbours belong to one element. Bars are drawn as rectangles and words as text. Gaps are not drawn.
fn looks_alike(a: &Cell, b: &Cell) -> bool {
    let kind = |cell: &Cell| match cell.symbol() {
        " " => 0,
        "█" => 1,
        "░" => 2,
        _ => 3,
    };
    (kind(a), color(a)) == (kind(b), color(b))
}

/// A run of cells that look alike.
fn draw(svg: &mut String, run: &[Cell], x: usize, y: usize) {
    let (width, color) = (run.len() * CELL.0, color(&run[0]));
    let text: String = run.iter().map(Cell::symbol).collect();
    match run[0].symbol() {
        " " => Ok(()),
        "█" | "░" => {
            let (top, height) = (y + 3, CELL.1 - 6);
            writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\"/>"
            )
        }
        _ => {
            let baseline = y + CELL.1 * 3 / 4;
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            // The length keeps columns aligned in any font.
            writeln!(
                svg,
                "<text x=\"{x}\" y=\"{baseline}\" textLength=\"{width}\" fill=\"{color}\">{text}</text>"
            )
        }
    }
    .expect("a String takes everything");
}

fn color(cell: &Cell) -> &'static str {
    match cell.fg {
        Color::Green => "#3fb950",
        Color::Yellow => "#d29922",
        Color::Red => "#f85149",
        _ if cell.symbol() == "░" => "#21262d",
        _ if cell.modifier.contains(Modifier::DIM) => "#8b949e",
        _ => "#e6edf3",
    }
}
