//! [`Format`] selects one of two text formats by a scraper's request, and writes a registry in it.

use core::fmt::{self, Write};
use mediatype::{MediaTypeList, Name, ReadParams, names};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

/// The text format of a `/metrics` response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4, which every scraper reads. It is the default.
    #[default]
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Chooses the format by the weights of an HTTP request's `Accept` header (RFC 9110, 12.5.1).
    ///
    /// Returns [`Format::OpenMetrics`] only if the header names it, with at least the weight of the text format. Otherwise returns
    /// [`Format::Text`]: also for a wildcard, a missing or malformed header, and a header that accepts neither format, because a response
    /// in another format is more useful than an error 406.
    pub fn negotiate(accept: Option<&str>) -> Self {
        let (mut open_metrics, mut text) = (Weight::default(), Weight::default());
        for range in MediaTypeList::new(accept.unwrap_or_default()).flatten() {
            let (q, version) = (range.get_param(names::Q), range.get_param(VERSION));
            let weight = Weight::of(q.as_ref().map(|q| q.unquoted_str()).as_deref());
            let version = version.as_ref().map(|version| version.unquoted_str());
            // 0.0.1 is the draft that became 1.0.0. The output is valid under both.
            if (range.ty, range.subty) == (names::APPLICATION, OPEN_METRICS)
                && matches!(version.as_deref(), None | Some("1.0.0" | "0.0.1"))
            {
                open_metrics = open_metrics.max(weight);
            } else if (range.ty, range.subty) == (names::TEXT, names::PLAIN)
                && matches!(version.as_deref(), None | Some("0.0.4"))
            {
                text = text.max(weight);
            }
        }
        if open_metrics > Weight::default() && open_metrics >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Returns the value of the `Content-Type` header for this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes all metrics of `registry` to `out`, including those of the application.
    ///
    /// # Errors
    ///
    /// Returns the errors of `out` and of the collectors and metrics in the registry. Writing to a `String` with this crate's collectors
    /// never fails.
    pub fn write<W: Write>(self, out: &mut W, registry: &Registry) -> fmt::Result {
        match self {
            Self::OpenMetrics => text::encode(out, registry),
            Self::Text => prometheus_text::encode(out, registry),
        }
    }
}

const OPEN_METRICS: Name<'_> = Name::new_unchecked("openmetrics-text");
const VERSION: Name<'_> = Name::new_unchecked("version");

/// An `Accept` weight in thousandths, the finest that RFC 9110 allows. A format with weight 0, or not mentioned, is not acceptable.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Weight(u16);

impl Weight {
    /// Parses a weight. Without a `q` it is 1; if `q` is not a number from 0 to 1, it is 0.
    fn of(q: Option<&str>) -> Self {
        let Some(q) = q else {
            return Self(1000);
        };
        match q.parse::<f32>() {
            #[allow(clippy::cast_sign_loss, reason = "the guard leaves 0 to 1000")]
            Ok(weight) if (0.0..=1.0).contains(&weight) => Self((weight * 1000.0) as u16),
            _ => Self(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Format::{self, OpenMetrics, Text};

    #[track_caller]
    fn negotiated(accept: &str, expected: Format) {
        assert_eq!(Format::negotiate(Some(accept)), expected, "{accept}");
    }

    #[test]
    fn text_unless_open_metrics_is_asked_for() {
        assert_eq!(Format::negotiate(None), Text);
        negotiated("", Text);
        negotiated("*/*", Text);
        negotiated(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Text,
        );
        negotiated("application/*;q=0.9, text/plain;q=0.1", Text);
        negotiated("application/json", Text);
        negotiated("application/openmetrics-text", OpenMetrics);
        negotiated(
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            OpenMetrics,
        );
        negotiated("Application/OpenMetrics-Text;Version=\"1.0.0\"", OpenMetrics);
    }

    #[test]
    fn weights_decide_and_a_tie_goes_to_open_metrics() {
        negotiated("application/openmetrics-text;q=0.4,text/plain;q=0.5", Text);
        negotiated("text/plain;q=0.5,application/openmetrics-text;q=0.5", OpenMetrics);
        negotiated("application/openmetrics-text;q=0", Text);
        negotiated("application/openmetrics-text;q=0,*/*", Text);
        negotiated("application/openmetrics-text;version=2.0.0", Text);
        negotiated(
            "application/json,text/html,application/openmetrics-text;q=0.5",
            OpenMetrics,
        );
        negotiated(
            "text/plain;version=1.0.0,application/openmetrics-text;q=0.5",
            OpenMetrics,
        );
        negotiated("application/openmetrics-text;q=nonsense", Text);
        negotiated("application/openmetrics-text;q=7", Text);
    }

    #[test]
    fn what_prometheus_itself_sends() {
        // 2.42 (Debian 12)
        negotiated(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OpenMetrics,
        );
        // 3.x, with its escaping parameter
        negotiated(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            OpenMetrics,
        );
        // A Prometheus server that is configured to use only the classic format
        negotiated("text/plain;version=0.0.4;q=1,*/*;q=0.1", Text);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_no_error() {
        negotiated("\u{0}\u{1}", Text);
        negotiated(";;;,,,", Text);
        negotiated("text", Text);
    }
}
