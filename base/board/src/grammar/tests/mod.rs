//! Grammars are read, lines are read, ports are spoken with.

mod exchanges;
mod lines;
mod mistakes;
mod properties;

use super::Grammar;

/// The meter of the excerpt.
const DESK_METER: &str = r#"
[[request]]
send = "READ?\r\n"
answer = "U={u}V I={i}A P={p}kW n={number}*\r\n"
timeout = "500 ms"

[request.field.u]
quantity = "electricity.voltage.rms.l1"
unit = "V"
scale = 1.0
offset = 0.0
least = "0 V"
greatest = "500 V"

[request.field.i]
quantity = "electricity.current.rms.l1"
unit = "A"

[request.field.p]
quantity = "electricity.power.active.consumed.l1"
unit = "kW"

[request.field.number]
role = "sequence"
"#;

fn grammar(text: &str) -> Grammar {
    Grammar::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

/// The mistakes of a text as they are printed.
fn mistakes(text: &str) -> Vec<String> {
    let error = Grammar::parse(text).expect_err("there is a mistake");
    error.0.iter().map(ToString::to_string).collect()
}
