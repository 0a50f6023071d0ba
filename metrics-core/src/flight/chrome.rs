//! A recording in Chrome's trace format, which <https://ui.perfetto.dev> opens.

use super::event::{FlightEvent, FlightEventKind, FlightRecording};
use crate::time::Timestamp;
use core::fmt::{self, Write};

impl FlightRecording {
    /// Writes the recording as JSON in Chrome's trace event format, which ui.perfetto.dev and `chrome://tracing` open.
    ///
    /// Each thread is a track: a poll is a slice named after its spawn location, with its schedule latency in nanoseconds,
    /// and a park lasts until the worker wakes up. Times are in microseconds since the first event.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_chrome_trace(&self, out: &mut impl Write) -> fmt::Result {
        let events = self.threads.iter().filter_map(|thread| thread.events.first());
        let origin = events.map(|event| event.start.ticks()).min().unwrap_or(0);
        write!(
            out,
            "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"sampled\":{}}},\"traceEvents\":[",
            self.is_sampled
        )?;
        let mut separator = "";
        for (track, thread) in self.threads.iter().enumerate() {
            let at = |event: &FlightEvent| self.scale.nanos(event.start, Timestamp::from_ticks(origin));
            write!(
                out,
                "{separator}\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{track},\"name\":\"thread_name\",\"args\":{{\"name\":"
            )?;
            match thread.worker {
                Some(worker) => write!(out, "\"worker {worker}\"}}}}")?,
                None => out.write_str("\"external\"}}")?,
            }
            separator = ",";
            for (event, next) in thread
                .events
                .iter()
                .zip(thread.events.iter().skip(1).map(Some).chain([None]))
            {
                let start = at(event);
                let (name, duration) = match event.kind {
                    FlightEventKind::Poll => (
                        self.location_name(event.location),
                        event.duration.as_nanos() as u64,
                    ),
                    FlightEventKind::Park => {
                        let end = next.map_or_else(
                            || self.scale.nanos(self.copied_at, Timestamp::from_ticks(origin)),
                            at,
                        );
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
                write_string(out, if name.is_empty() { "unknown" } else { name })?;
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
