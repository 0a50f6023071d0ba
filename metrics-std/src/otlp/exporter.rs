//! [`OtlpExporter`] makes requests from snapshots.

use super::ExportMetricsServiceRequest;
use super::translate::{metrics, text};
use crate::export::{DuplicateName, Edges, ExportedRuntimes};
use core::fmt;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes OTLP requests from the metrics of one or more runtimes.
///
/// ```
/// use metrics_std::otlp::OtlpExporter;
/// use metrics_std::{Builder, Clock, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new().name("images"), Clock::new())?;
/// let exporter = OtlpExporter::new(metrics).resource("service.name", "thumbnails");
/// // The body of a POST to `/v1/metrics`, with the content type `application/x-protobuf`.
/// let body = exporter.to_bytes();
/// assert!(!body.is_empty());
/// # Ok::<(), metrics_std::BuildError>(())
/// ```
///
/// A request takes one snapshot per runtime and resets nothing. The exporter does not keep a runtime alive. A metric that a runtime does
/// not measure is left out. Metrics of workers are sums over the workers, unless you call [`each_worker`](Self::each_worker).
pub struct OtlpExporter {
    runtimes: ExportedRuntimes,
    edges: Edges,
    each_worker: bool,
    locations: usize,
    resource: Vec<(String, String)>,
}

impl OtlpExporter {
    /// Creates an exporter of one runtime, or of the runtimes in a list.
    pub fn new(runtimes: impl Into<ExportedRuntimes>) -> Self {
        Self {
            runtimes: runtimes.into(),
            edges: Edges::recorded(),
            each_worker: false,
            locations: 0,
            resource: Vec::new(),
        }
    }

    /// Adds a runtime to those that are exported.
    ///
    /// # Errors
    /// Returns [`DuplicateName`] if a runtime with that name is already exported.
    pub fn with_runtime(mut self, runtime: impl Into<ExportedRuntimes>) -> Result<Self, DuplicateName> {
        self.runtimes.add(runtime.into())?;
        Ok(self)
    }

    /// Sets the bounds of all histograms. By default they are those that were [recorded](Edges::recorded).
    #[must_use]
    pub fn edges(mut self, edges: Edges) -> Self {
        self.edges = edges;
        self
    }

    /// Exports worker metrics per worker instead of as sums, including those that have no sum, such as a worker's state.
    #[must_use]
    pub fn each_worker(mut self, yes: bool) -> Self {
        self.each_worker = yes;
        self
    }

    /// Exports the metrics of the first `limit` spawn locations and groups of the process, with the attribute `async_runtime.location` or
    /// `async_runtime.group`. All other locations share the value `other`, and all other groups `other groups`. Without a call, none is exported.
    ///
    /// The registry must keep them ([`Builder::locations`](crate::Builder::locations)).
    #[must_use]
    pub fn locations(mut self, limit: usize) -> Self {
        self.locations = limit;
        self
    }

    /// Sets an attribute of the resource, such as `service.name`. It replaces an earlier one with the same key.
    #[must_use]
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.resource.retain(|(known, _)| *known != key);
        self.resource.push((key, value.into()));
        self
    }

    /// Returns whether an attribute of the resource is set.
    pub(super) fn has_resource(&self, key: &str) -> bool {
        self.resource.iter().any(|(known, _)| known == key)
    }

    /// Returns a request with the current values.
    pub fn request(&self) -> ExportMetricsServiceRequest {
        // A probe that exports while an exporter reads it gets an empty request.
        let snapshots = self.runtimes.read().unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let metrics = metrics(&snapshots, &self.edges, self.each_worker, self.locations, now);
        if metrics.is_empty() {
            return ExportMetricsServiceRequest::default();
        }
        let attributes = self
            .resource
            .iter()
            .map(|(key, value)| text(key, value))
            .collect();
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_metrics = ScopeMetrics {
            scope: Some(scope),
            metrics,
            ..ScopeMetrics::default()
        };
        let resource = Resource {
            attributes,
            ..Resource::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![scope_metrics],
                ..ResourceMetrics::default()
            }],
        }
    }

    /// Returns a [request](Self::request) in protobuf. It is empty if no metric has a value.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.request().encode_to_vec()
    }
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter")
            .field("runtimes", &self.runtimes)
            .field("edges", &self.edges)
            .field("each_worker", &self.each_worker)
            .field("locations", &self.locations)
            .field("resource", &self.resource)
            .finish()
    }
}
