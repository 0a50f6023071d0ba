//! The options of the constructor.

use super::json;
use crate::monitor::{Monitor, MonitorBuilder};
use core::time::Duration;
use metrics_core::{HistogramConfig, Sampling};
use serde::{Deserialize, Deserializer};
use wasm_bindgen::prelude::JsValue;

/// The options of `new RuntimeMetrics(options)`. An option that is left out is `None`.
#[allow(
    clippy::option_option,
    reason = "a layout may be left out, be null, or be given"
)]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Options {
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    poll_time: Option<Option<HistogramConfig>>,
    #[serde(deserialize_with = "present")]
    schedule_latency: Option<Option<HistogramConfig>>,
    poll_time_sampling: Option<Sampling>,
    schedule_latency_sampling: Option<Sampling>,
    locations: Option<usize>,
    flight_recorder: Option<usize>,
    /// In milliseconds.
    flight_recorder_threshold: Option<f64>,
    /// In milliseconds.
    period: Option<f64>,
    frames: bool,
}

/// Reads a field that is present: `Some(None)` if it is null, in contrast to one that is left out.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Options {
    /// Reads the argument of the constructor.
    ///
    /// # Errors
    /// Returns a description of the error.
    pub(super) fn read(value: &JsValue) -> Result<Self, String> {
        const EXPECTED: &str = "options must be an object such as { name: \"main\", period: 50 }";
        if value.is_undefined() {
            return Ok(Self::default());
        }
        let text = json::text(value).ok_or(EXPECTED)?;
        let options: Self = serde_json::from_str(&text).map_err(|error| format!("{EXPECTED}: {error}"))?;
        options.period()?;
        options.threshold()?;
        Ok(options)
    }

    /// Returns the period of the timer, if there is one.
    ///
    /// # Errors
    /// Returns a description of the error.
    pub(super) fn period(&self) -> Result<Option<Duration>, String> {
        let Some(ms) = self.period else { return Ok(None) };
        let period = Duration::try_from_secs_f64(ms / 1e3).ok();
        match period.filter(|period| !period.is_zero()) {
            Some(period) => Ok(Some(period)),
            None => Err(format!(
                "period must be a number of milliseconds above 0, not {ms}"
            )),
        }
    }

    /// Returns the threshold of the flight recorder, if it is set.
    ///
    /// # Errors
    /// Returns a description of the error.
    fn threshold(&self) -> Result<Option<Duration>, String> {
        let Some(ms) = self.flight_recorder_threshold else {
            return Ok(None);
        };
        let threshold = Duration::try_from_secs_f64(ms / 1e3);
        threshold.map(Some).map_err(|_| {
            format!("flight_recorder_threshold must be a number of milliseconds from 0, not {ms}")
        })
    }

    pub(super) const fn frames(&self) -> bool {
        self.frames
    }

    /// Returns the settings of a new monitor. `None` if there are none.
    pub(super) fn monitor(&self) -> Option<MonitorBuilder<'_>> {
        let is_set = self.name.is_some()
            || self.poll_time.is_some()
            || self.schedule_latency.is_some()
            || self.poll_time_sampling.is_some()
            || self.schedule_latency_sampling.is_some()
            || self.locations.is_some()
            || self.flight_recorder.is_some()
            || self.flight_recorder_threshold.is_some();
        if !is_set {
            return None;
        }
        let mut builder = Monitor::builder();
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if let Some(config) = self.poll_time {
            builder = builder.poll_time(config);
        }
        if let Some(config) = self.schedule_latency {
            builder = builder.schedule_latency(config);
        }
        if let Some(sampling) = self.poll_time_sampling {
            builder = builder.poll_time_sampling(sampling);
        }
        if let Some(sampling) = self.schedule_latency_sampling {
            builder = builder.schedule_latency_sampling(sampling);
        }
        if let Some(capacity) = self.locations {
            builder = builder.locations(capacity);
        }
        if let Some(events) = self.flight_recorder {
            builder = builder.flight_recorder(events);
        }
        // It was checked when it was read.
        if let Ok(Some(threshold)) = self.threshold() {
            builder = builder.flight_recorder_threshold(threshold);
        }
        Some(builder)
    }
}
