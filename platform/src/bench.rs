//! What the benchmarks in `benches/` drive; no part of the platform's interface.
