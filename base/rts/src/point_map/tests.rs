//! Tests of the point map.
