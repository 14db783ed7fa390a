//! Tests of the point map.

mod fed;
mod importing;
mod laid_out;
mod mistakes;
mod reading;
mod watching;
mod watching_frames;

use super::PointMap;

/// The map of a text that has to be right.
fn parsed(text: &str) -> PointMap {
    PointMap::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The lines of all mistakes of a text.
fn mistakes(text: &str) -> Vec<String> {
    let error = PointMap::parse(text).expect_err("the map has a mistake");
    error.0.iter().map(ToString::to_string).collect()
}

/// A map without mistakes, of most kinds of points.
const FEEDER: &str = r#"format = 1

[simulator]
name = "feeder"
wire_format = "gtnet-skt"
card = "gtnetx2"
sample_rate = "1 kHz"

[[point]]
name = "new-data"
direction = "from-simulator"
type = "integer"
role = "new-data"

[[point]]
name = "mode"
direction = "from-simulator"
type = "integer"
role = "mode"

[[point]]
name = "u1"
direction = "from-simulator"
type = "float"
unit = "kV"
least = "180 V"
greatest = "280 V"
device = "house-1"
quantity = "electricity.voltage.rms.l1"

[[point]]
name = "i1"
direction = "from-simulator"
type = "integer"
unit = "mA"
scale = 10
least = "0 A"
greatest = "100 A"
device = "house-1"
quantity = "electricity.current.rms.l1"

[[point]]
name = "wave"
direction = "from-simulator"
type = "float"
unit = "V"
least = "-450 V"
greatest = "450 V"
device = "house-1"
waveform = "u1"

[[point]]
name = "flow"
direction = "from-simulator"
type = "float"
unit = "°C"
scale = 0.1
offset = "-40 K"
least = "-40 °C"
greatest = "120 °C"

[[point]]
name = "set-point"
direction = "to-simulator"
type = "float"
unit = "°C"
least = "20 °C"
greatest = "90 °C"
greatest_change_per_second = "0.5 K"
initial = "40 °C"
safe_value = "20 °C"
reflected_by = "flow"
blocked_by_mode = true

[[point]]
name = "tap"
direction = "to-simulator"
type = "integer"
least = -8
greatest = 8
greatest_change_per_second = 1
initial = 0
safe_value = 0
"#;
