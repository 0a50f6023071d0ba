//! Tables for a terminal.

/// Returns the lines of a table with aligned columns.
pub(crate) fn aligned<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let head = [head.map(str::to_owned), widths.map(|width| "-".repeat(width))];
    head.iter().chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = [["a – b", ""], ["c", "12"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            aligned(["x", "yy"], &rows),
            "x      yy\n-----  --\na – b\nc      12\n"
        );
    }
}
