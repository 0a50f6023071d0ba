//! A recording in Chrome's trace format, which <https://ui.perfetto.dev> opens.

use super::event::FlightEventKind;
use super::recording::FlightRecording;
use crate::time::Timestamp;
use core::fmt::{self, Write};
use core::time::Duration;

impl FlightRecording {
    /// Writes the recording as JSON in Chrome's trace event format, which ui.perfetto.dev and `chrome://tracing` open.
    ///
    /// Each thread is a track: a poll is a slice named after its spawn location, with its schedule latency in nanoseconds,
    /// and a park lasts until the worker wakes up. A burst is a slice with the number of its polls. Times are in
    /// microseconds since the first event. `otherData` has the time that the recording covers, which is `null` without an
    /// event, whether polls are sampled, and the duration below which polls are folded into bursts.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_chrome_trace(&self, out: &mut impl Write) -> fmt::Result {
        let origin = self.starts().min().unwrap_or(0);
        write!(
            out,
            "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"sampled\":{},\"span_ns\":{},\"complete_span_ns\":{},\
             \"threshold_ns\":{}}},\"traceEvents\":[",
            self.is_sampled,
            Nanos(self.span()),
            Nanos(self.complete_span()),
            Nanos(Some(self.threshold))
        )?;
        let mut separator = "";
        for (track, thread) in self.threads.iter().enumerate() {
            let at = |time: Timestamp| self.scale.nanos(time, Timestamp::from_ticks(origin));
            write!(
                out,
                "{separator}\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{track},\"name\":\"thread_name\",\"args\":{{\"name\":"
            )?;
            match thread.worker {
                Some(worker) => write!(out, "\"worker {worker}\"}}}}")?,
                None => out.write_str("\"external\"}}")?,
            }
            separator = ",";
            let mut events = thread.events().peekable();
            while let Some(event) = events.next() {
                let start = at(event.start);
                let duration = event.duration.as_nanos() as u64;
                let name = self.location_name(event.location);
                let (name, duration) = match event.kind {
                    FlightEventKind::Poll => (or(name, "unknown"), duration),
                    FlightEventKind::Burst => (or(name, "short polls"), duration),
                    FlightEventKind::Park => {
                        let end = at(events.peek().map_or(self.copied_at, |next| next.start));
                        ("parked", end.saturating_sub(start))
                    }
                    // The end of the park before it.
                    FlightEventKind::Unpark => continue,
                };
                write!(
                    out,
                    ",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":{track},\"ts\":{},\"dur\":{},\"name\":",
                    Micros(start),
                    Micros(duration)
                )?;
                write_string(out, name)?;
                if event.kind == FlightEventKind::Burst {
                    write!(out, ",\"args\":{{\"polls\":{}}}", event.polls)?;
                }
                if let Some(latency) = event.schedule_latency {
                    write!(
                        out,
                        ",\"args\":{{\"schedule_latency_ns\":{}}}",
                        latency.as_nanos()
                    )?;
                }
                out.write_char('}')?;
            }
        }
        out.write_str("\n]}\n")
    }
}

/// Returns the name of a slice; `unknown` if it has none.
const fn or<'a>(name: &'a str, unknown: &'static str) -> &'a str {
    if name.is_empty() { unknown } else { name }
}

/// A duration in nanoseconds, or `null`.
struct Nanos(Option<Duration>);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(duration) => write!(f, "{}", duration.as_nanos()),
            None => f.write_str("null"),
        }
    }
}

/// Nanoseconds in microseconds.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Writes a JSON string.
fn write_string(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if c.is_control() => write!(out, "\\u{:04x}", c as u32)?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}
