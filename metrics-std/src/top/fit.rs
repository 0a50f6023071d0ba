//! Fits text into few columns. Parts that do not fit are left out whole, so that no number loses digits.

/// Shortens `text` to at most `width` characters, after a whole word, and marks that with an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let mut kept = String::new();
    for word in text.split_inclusive(' ') {
        if kept.chars().count() + word.trim_end().chars().count() > room {
            break;
        }
        kept.push_str(word);
    }
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

/// Distributes `parts` over as many lines as they need. No part is split.
pub(super) fn pack(parts: &[String], width: usize) -> Vec<String> {
    const GAP: &str = "   ";
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP.len() + part.chars().count() <= width => {
                line.push_str(GAP);
                line.push_str(part);
            }
            _ => lines.push(cut(part, width)),
        }
    }
    lines
}

/// Returns the columns that have room in `width`, with one space between two. `wanted` contains the width of each column; the first ones in
/// `priority` are placed first.
pub(super) fn columns<const N: usize>(wanted: [usize; N], priority: [usize; N], width: usize) -> [bool; N] {
    let mut shown = [false; N];
    let mut left = width + 1;
    for column in priority {
        let needed = wanted[column] + 1;
        if needed <= left {
            left -= needed;
            shown[column] = true;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_words() {
        assert_eq!(cut("told after 20 ms", 16), "told after 20 ms");
        assert_eq!(cut("told after 20 ms", 15), "told after 20…");
        assert_eq!(cut("told after 20 ms", 13), "told after…");
        assert_eq!(cut("told", 3), "…");
        assert_eq!(cut("told", 0), "");
    }

    #[test]
    fn parts_stay_whole() {
        let parts = ["one two".to_owned(), "three".to_owned(), "1,234 four".to_owned()];
        assert_eq!(pack(&parts, 80), ["one two   three   1,234 four"]);
        assert_eq!(pack(&parts, 15), ["one two   three", "1,234 four"]);
        assert_eq!(pack(&parts, 14), ["one two", "three", "1,234 four"]);
    }

    #[test]
    fn columns_are_shown_whole_or_not_at_all() {
        assert_eq!(columns([8, 5, 9], [0, 1, 2], 24), [true, true, true]);
        assert_eq!(columns([8, 5, 9], [0, 1, 2], 23), [true, true, false]);
        assert_eq!(columns([8, 5, 9], [2, 0, 1], 18), [true, false, true]);
        assert_eq!(columns([8], [0], 7), [false]);
    }
}
