//! Which of the two text formats a scraper wants, and writing a registry in it.

use super::text::TextWriter;
use core::fmt::{self, Write};
use mediatype::{MediaTypeList, Name, ReadParams, names};
use prometheus_client::encoding::text::{encode, encode_registry};
use prometheus_client::registry::Registry;

/// A text format of a `/metrics` page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4: what every scraper reads, and what is sent unless the scraper
    /// asks for more.
    #[default]
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Picks the format from an HTTP request's `Accept` header, by its weights (RFC 9110, 12.5.1).
    ///
    /// OpenMetrics must be asked for by name: a wildcard, no header, a header that can't be read, and one that
    /// accepts neither format all give [`Format::Text`], because a page in a format that wasn't asked for still
    /// tells its reader more than an error 406. Asked for both with one weight, a scraper gets OpenMetrics.
    pub fn negotiate(accept: Option<&str>) -> Self {
        let (mut open_metrics, mut text) = (Weight::default(), Weight::default());
        for range in MediaTypeList::new(accept.unwrap_or_default()).flatten() {
            let (q, version) = (range.get_param(names::Q), range.get_param(VERSION));
            let weight = Weight::of(q.as_ref().map(|q| q.unquoted_str()).as_deref());
            let version = version.as_ref().map(|version| version.unquoted_str());
            // 0.0.1 is the draft that became 1.0.0; what is written is valid under both.
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

    /// The `Content-Type` that names this format to the scraper.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes everything in `registry`, whoever registered it, to `out`.
    ///
    /// # Errors
    ///
    /// Only those of `out`, or of a collector or metric in the registry. Writing to a `String` with this crate's
    /// collectors never fails.
    pub fn write<W: Write>(self, out: &mut W, registry: &Registry) -> fmt::Result {
        match self {
            Self::OpenMetrics => encode(out, registry),
            Self::Text => {
                let mut text = TextWriter::new(out);
                encode_registry(&mut text, registry)?;
                text.finish()
            }
        }
    }
}

const OPEN_METRICS: Name<'_> = Name::new_unchecked("openmetrics-text");
const VERSION: Name<'_> = Name::new_unchecked("version");

/// An `Accept` weight in thousandths, the finest that RFC 9110 allows. 0 (also: not mentioned) is not acceptable.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Weight(u16);

impl Weight {
    /// No `q` is a weight of 1; one that isn't a number from 0 to 1 is taken for 0.
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
