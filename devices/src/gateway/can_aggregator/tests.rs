//! The aggregator with nodes on a bus.
