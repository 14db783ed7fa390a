//! Nothing, in place of the package `prometheus`, which `rmqtt` 0.24.0 asks for and does not use in
//! the features that are built here. No line of it names this package. Were that to change, the
//! compiler would miss it.
