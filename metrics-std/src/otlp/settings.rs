//! [`Settings`] of the periodic exporter, from the environment variables of OpenTelemetry.

use core::fmt;
use core::time::Duration;
use percent_encoding::percent_decode_str;
use std::ffi::OsString;

/// The settings of a [`PeriodicExporter`](super::PeriodicExporter). The defaults are those of OpenTelemetry's specification.
///
/// `Debug` prints the names of the headers without their values, which may be secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The address to which requests are posted, including the path: `http://localhost:4318/v1/metrics` by default.
    pub endpoint: String,
    /// Headers of each request, such as an API key.
    pub headers: Vec<(String, String)>,
    /// How long one attempt may take: 10 s by default.
    pub timeout: Duration,
    /// The time between two exports: 60 s by default.
    pub interval: Duration,
    /// Attributes of the resource. They don't replace those of the exporter.
    pub resource: Vec<(String, String)>,
    /// Whether the exporter is disabled: it then sends nothing and starts no thread.
    pub disabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: "http://localhost:4318/v1/metrics".to_owned(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            interval: Duration::from_secs(60),
            resource: Vec::new(),
            disabled: false,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            headers,
            timeout,
            interval,
            resource,
            disabled,
        } = self;
        f.debug_struct("Settings")
            .field("endpoint", endpoint)
            .field("headers", &HeaderNames(headers))
            .field("timeout", timeout)
            .field("interval", interval)
            .field("resource", resource)
            .field("disabled", disabled)
            .finish()
    }
}

/// Prints the names of headers without their values.
pub(super) struct HeaderNames<'a>(pub(super) &'a [(String, String)]);

impl fmt::Debug for HeaderNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// The error of [`Settings::from_env`]: the value of a variable is invalid or not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsError {
    /// The name of the variable.
    pub variable: String,
    /// Its value. `None` if it is not UTF-8, or contains headers, which may be secret.
    pub value: Option<String>,
    /// A description of the valid values.
    pub expected: &'static str,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variable)?;
        if let Some(value) = &self.value {
            write!(f, "={value:?}")?;
        }
        write!(f, " is not {}", self.expected)
    }
}

impl core::error::Error for SettingsError {}

impl Settings {
    /// Reads the variables of OpenTelemetry. An empty variable is the same as one that is not set.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | `endpoint`, as it is |
    /// | `OTEL_EXPORTER_OTLP_ENDPOINT` | `endpoint`, with `/v1/metrics` appended to its path |
    /// | `OTEL_EXPORTER_OTLP_METRICS_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | `headers`, as `key=value,key=value` |
    /// | `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT` | `timeout`, in milliseconds |
    /// | `OTEL_METRIC_EXPORT_INTERVAL` | `interval`, in milliseconds |
    /// | `OTEL_RESOURCE_ATTRIBUTES` | `resource`, as `key=value,key=value` |
    /// | `OTEL_SERVICE_NAME` | `service.name` in `resource` |
    /// | `OTEL_SDK_DISABLED` | `disabled`, if it is `true` |
    /// | `OTEL_EXPORTER_OTLP_METRICS_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL` | must be `http/protobuf` |
    ///
    /// If there are two variables, the first one takes precedence. If `OTEL_SDK_DISABLED` is `true`, the others are not read.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if a value can't be read.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(|name| std::env::var_os(name))
    }

    /// Reads the same variables from a source other than the environment, such as a file. `variable` returns the value of a variable.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if a value can't be read.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        Self::read(|name| variable(name).map(OsString::from))
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let variables = Variables(variable);
        let mut settings = Self::default();
        let disabled = variables.first(["OTEL_SDK_DISABLED"])?;
        if disabled.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true")) {
            settings.disabled = true;
            return Ok(settings);
        }
        if let Some((name, value)) = variables.first([
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ])? && value != "http/protobuf"
        {
            return Err(error(
                name,
                Some(value),
                "\"http/protobuf\", the only protocol that is supported",
            ));
        }
        if let Some((_, value)) = variables.first(["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"])? {
            settings.endpoint = value;
        } else if let Some((_, value)) = variables.first(["OTEL_EXPORTER_OTLP_ENDPOINT"])? {
            let (base, query) = value.split_at(value.find(['?', '#']).unwrap_or(value.len()));
            settings.endpoint = format!("{}/v1/metrics{query}", base.trim_end_matches('/'));
        }
        settings.headers =
            variables.pairs(["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"])?;
        settings.resource = variables.pairs(["OTEL_RESOURCE_ATTRIBUTES"])?;
        if let Some((_, name)) = variables.first(["OTEL_SERVICE_NAME"])? {
            settings.resource.retain(|(key, _)| key != "service.name");
            settings.resource.push(("service.name".to_owned(), name));
        }
        let timeout = ["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
        settings.timeout = variables.milliseconds(timeout)?.unwrap_or(settings.timeout);
        let interval = variables.milliseconds(["OTEL_METRIC_EXPORT_INTERVAL"])?;
        settings.interval = interval.unwrap_or(settings.interval);
        Ok(settings)
    }
}

fn error(variable: &str, value: Option<String>, expected: &'static str) -> SettingsError {
    SettingsError {
        variable: variable.to_owned(),
        value,
        expected,
    }
}

struct Variables<F>(F);

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    /// Returns the first variable that is set, and its value.
    fn first<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<Option<(&'static str, String)>, SettingsError> {
        for name in names {
            let Some(value) = self.0(name) else { continue };
            let value = value.into_string();
            let value = value.map_err(|_| error(name, None, "valid UTF-8"))?;
            if !value.trim().is_empty() {
                return Ok(Some((name, value.trim().to_owned())));
            }
        }
        Ok(None)
    }

    fn milliseconds<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<Option<Duration>, SettingsError> {
        let Some((name, value)) = self.first(names)? else {
            return Ok(None);
        };
        match value.parse() {
            Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
            _ => Err(error(name, Some(value), "a number of milliseconds above 0")),
        }
    }

    /// Parses pairs in the format of W3C Baggage, whose values are percent-encoded.
    fn pairs<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<Vec<(String, String)>, SettingsError> {
        let Some((name, value)) = self.first(names)? else {
            return Ok(Vec::new());
        };
        let pairs = value.split(',').filter(|pair| !pair.trim().is_empty());
        let pairs: Option<Vec<(String, String)>> = pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some((decoded(key)?, decoded(value)?)).filter(|(key, _)| !key.is_empty())
            })
            .collect();
        pairs.ok_or_else(|| {
            error(
                name,
                Some(value).filter(|_| !name.ends_with("_HEADERS")),
                "a list of the form `key=value,key=value`, percent-encoded",
            )
        })
    }
}

fn decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text.trim()).decode_utf8();
    Some(decoded.ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn without_variables_the_defaults_of_the_specification_hold() {
        assert_eq!(settings(&[]), Ok(Settings::default()));
        let empty = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            ("OTEL_METRIC_EXPORT_INTERVAL", " "),
        ];
        assert_eq!(settings(&empty), Ok(Settings::default()));
    }

    #[test]
    fn the_endpoint_of_metrics_is_taken_as_it_is_and_the_common_one_gets_a_path() {
        let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let endpoint = |variables: &[_]| settings(variables).expect("it is valid").endpoint;
        assert_eq!(endpoint(&[common]), "http://collector:4318/v1/metrics");
        let query = (common.0, "http://collector:4318/otlp/?tenant=a/b");
        assert_eq!(
            endpoint(&[query]),
            "http://collector:4318/otlp/v1/metrics?tenant=a/b"
        );
        let own = (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "http://prometheus:9090/api/v1/otlp/v1/metrics",
        );
        assert_eq!(endpoint(&[common, own]), own.1);
    }

    #[test]
    fn every_variable_is_read() {
        let settings = settings(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "ignored=1"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                "api-key=a%20b, second = c=d ",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2500"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=hidden,deployment.environment=test%2C1",
            ),
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_SDK_DISABLED", "false"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ]);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = Settings {
            headers: vec![pair("api-key", "a b"), pair("second", "c=d")],
            timeout: Duration::from_millis(2500),
            interval: Duration::from_secs(5),
            resource: vec![
                pair("deployment.environment", "test,1"),
                pair("service.name", "shop"),
            ],
            ..Settings::default()
        };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn an_invalid_value_is_no_error_if_the_exporter_is_disabled() {
        let settings = settings(&[
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no-value"),
        ]);
        assert!(settings.expect("it is disabled").disabled);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_an_error() {
        use std::os::unix::ffi::OsStringExt as _;
        let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let settings = Settings::read(|variable| (variable == name).then(|| OsString::from_vec(vec![0xff])));
        let error = settings.expect_err("it is not UTF-8").to_string();
        assert_eq!(error, format!("{name} is not valid UTF-8"));
    }

    #[test]
    fn values_of_headers_are_not_printed() {
        let name = "OTEL_EXPORTER_OTLP_HEADERS";
        let error = settings(&[(name, "api-key secret")]).expect_err("it has no `=`");
        let settings = settings(&[(name, "api-key=secret")]).expect("it is valid");
        let transport = super::super::HttpTransport::new(&settings);
        for printed in [
            format!("{error}"),
            format!("{error:?}"),
            format!("{settings:?}"),
            format!("{transport:?}"),
        ] {
            assert!(!printed.contains("secret"), "{printed}");
        }
        assert!(error.to_string().starts_with(&format!("{name} is not ")));
        assert!(format!("{settings:?}").contains("api-key"));
        assert!(format!("{transport:?}").starts_with("HttpTransport {"));
    }

    #[test]
    fn an_invalid_value_is_an_error_that_names_the_variable() {
        for (name, value) in [
            ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no-value"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "=no-key"),
            ("OTEL_RESOURCE_ATTRIBUTES", "key=%ff"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ] {
            let error = settings(&[(name, value)]).expect_err("it is invalid");
            let value = (!name.contains("HEADERS")).then_some(value);
            assert_eq!((error.variable.as_str(), error.value.as_deref()), (name, value));
            let printed = value.map_or(String::new(), |value| format!("={value:?}"));
            let message = error.to_string();
            assert!(
                message.starts_with(&format!("{name}{printed} is not ")),
                "{message}"
            );
        }
    }
}
