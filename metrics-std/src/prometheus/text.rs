//! Converts the OpenMetrics text that `prometheus-client` writes to the Prometheus text format 0.0.4.
//!
//! `prometheus-client` writes only OpenMetrics (its issue 51), but `promtool check metrics` and older scrapers read only 0.0.4. The lines
//! of the samples are the same in both formats; the descriptions of a metric differ. The rules are those of the specifications of the
//! two formats and of the reference Python client's `generate_latest`:
//!
//! | OpenMetrics | 0.0.4 |
//! |---|---|
//! | counter `x`, samples `x_total` | counter `x_total` |
//! | info `x`, samples `x_info` | gauge `x_info` |
//! | stateset `x` | gauge `x` |
//! | unknown `x` | untyped `x` |
//! | gaugehistogram | histogram |
//! | `# UNIT` | not written |
//! | exemplar after a sample | not written |
//! | `# EOF` | not written |

use core::fmt::{self, Write};

/// Takes OpenMetrics text in pieces of any size and writes the text format 0.0.4 to `out`.
///
/// It buffers text up to the end of the line, so call [`finish`](Self::finish) after the last piece.
pub(super) struct TextWriter<'a, W: Write> {
    out: &'a mut W,
    /// The line being received.
    line: String,
    /// The last `# HELP` line. It is written after the type is read, because the name in it depends on the type.
    help: Option<String>,
}

impl<'a, W: Write> TextWriter<'a, W> {
    pub(super) fn new(out: &'a mut W) -> Self {
        Self {
            out,
            line: String::with_capacity(256),
            help: None,
        }
    }

    /// Writes the buffered text: a last line without a newline, and a `# HELP` line that no type follows.
    pub(super) fn finish(mut self) -> fmt::Result {
        self.end_line()?;
        self.flush_help("")
    }

    fn end_line(&mut self) -> fmt::Result {
        let line = core::mem::take(&mut self.line);
        let result = self.rewrite(&line);
        // Reuses the buffer for the next line.
        self.line = line;
        self.line.clear();
        result
    }

    fn rewrite(&mut self, line: &str) -> fmt::Result {
        if let Some(help) = line.strip_prefix("# HELP ") {
            self.flush_help("")?;
            self.help = Some(help.to_owned());
            return Ok(());
        }
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.rsplit_once(' ').unwrap_or((family, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "stateset" => ("", "gauge"),
                "gaugehistogram" => ("", "histogram"),
                "unknown" => ("", "untyped"),
                same => ("", same),
            };
            self.flush_help(suffix)?;
            return writeln!(self.out, "# TYPE {name}{suffix} {kind}");
        }
        if line.is_empty() || line.starts_with('#') {
            // 0.0.4 has neither `# UNIT` nor `# EOF`.
            return Ok(());
        }
        self.flush_help("")?;
        writeln!(self.out, "{}", without_exemplar(line))
    }

    fn flush_help(&mut self, suffix: &str) -> fmt::Result {
        let Some(help) = self.help.take() else {
            return Ok(());
        };
        let (name, text) = help.split_once(' ').unwrap_or((&help, ""));
        writeln!(self.out, "# HELP {name}{suffix} {text}")
    }
}

impl<W: Write> Write for TextWriter<'_, W> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some((line, rest)) = text.split_once('\n') {
            self.line.push_str(line);
            self.end_line()?;
            text = rest;
        }
        self.line.push_str(text);
        Ok(())
    }
}

/// Returns a sample line without the exemplar that may follow its value.
///
/// An exemplar starts at the first ` # ` that is not inside a quoted label value.
fn without_exemplar(line: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return line[..at].trim_end(),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the text as a whole and byte by byte: the output must be the same.
    fn both_ways(open_metrics: &str) -> String {
        let mut whole = String::new();
        let mut writer = TextWriter::new(&mut whole);
        writer
            .write_str(open_metrics)
            .and_then(|()| writer.finish())
            .unwrap();

        let mut pieces = String::new();
        let mut writer = TextWriter::new(&mut pieces);
        for character in open_metrics.chars() {
            writer.write_char(character).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(whole, pieces);
        whole
    }

    #[test]
    fn each_type_takes_its_classic_name() {
        let text = both_ways(
            "# HELP a Polls.\n# TYPE a counter\n# UNIT a seconds\na_total{w=\"0\"} 1\n\
             # HELP b What it is.\n# TYPE b info\nb_info{v=\"1\"} 1\n\
             # HELP c A state.\n# TYPE c stateset\nc{c=\"on\"} 1\n\
             # HELP d Who knows.\n# TYPE d unknown\nd 3\n\
             # HELP e Depth.\n# TYPE e gauge\ne 4\n# EOF\n",
        );
        assert_eq!(
            text,
            "# HELP a_total Polls.\n# TYPE a_total counter\na_total{w=\"0\"} 1\n\
             # HELP b_info What it is.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n\
             # HELP c A state.\n# TYPE c gauge\nc{c=\"on\"} 1\n\
             # HELP d Who knows.\n# TYPE d untyped\nd 3\n\
             # HELP e Depth.\n# TYPE e gauge\ne 4\n"
        );
    }

    #[test]
    fn exemplars_go_and_a_hash_in_a_label_stays() {
        let text = both_ways(
            "# TYPE h histogram\nh_bucket{le=\"1.0\"} 2 # {trace=\"x\"} 0.5 1.0\n\
             h_bucket{le=\"+Inf\",spawn_location=\"a # \\\" # b\"} 2 # {trace=\"}\"} 0.5\n",
        );
        assert_eq!(
            text,
            "# TYPE h histogram\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\",spawn_location=\"a # \\\" # b\"} 2\n"
        );
    }

    #[test]
    fn help_without_a_type_or_a_text_is_kept() {
        assert_eq!(
            both_ways("# HELP a\n# HELP b x y\nb 1"),
            "# HELP a \n# HELP b x y\nb 1\n"
        );
    }
}
