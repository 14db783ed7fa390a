//! Nothing, in place of the package `prost`, which `rmqtt` 0.24.0 asks for and does not use in the
//! features that are built here. No line of it names this package. (Our own messages are encoded
//! with prost 0.14, which is another package to cargo.) Were that to change, the compiler would
//! miss it.
