//! What proves the workspace: testbed runtime, conformance suite, models and oracles.
