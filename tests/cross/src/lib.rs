//! Nothing of its own: the tests are those of metrics-std.
