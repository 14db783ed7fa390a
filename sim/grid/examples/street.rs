//! A street of three houses behind a transformer, one phase loaded, solved and drawn.
//!
//! `cargo run -p lastmeter-grid --example street`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_grid::diagram::{Colouring, svg};
use lastmeter_grid::flow::{Options, solve};
use lastmeter_grid::format::dss;

/// What the IEEE's test feeders are written in, too.
const STREET: &str = "
new circuit.street basekv=10 pu=1.0 mvasc3=250 mvasc1=250
new transformer.t buses=[sourcebus busbar] conns=[delta wye] kvs=[10 .4] kvas=[250 250] xhl=4
new linecode.cable nphases=3 r1=.32 x1=.08 r0=1.2 x0=.3 c1=0 c0=0 units=km
new line.one bus1=busbar bus2=house1 linecode=cable length=150 units=m
new line.two bus1=house1 bus2=house2 linecode=cable length=80 units=m
new line.three bus1=house2 bus2=house3 linecode=cable length=80 units=m
new load.one bus1=house1 kv=.4 kw=6 pf=.95
new load.two bus1=house2.1 phases=1 kv=.23 kw=4 pf=1
new load.three bus1=house3.1 phases=1 kv=.23 kw=7 pf=.98
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut no_other_files = |name: &str| Err(format!("there is no {name}"));
    let network = dss::read("street", STREET, &mut no_other_files)?.network;
    let flow = solve(&network, &Options::default())?;
    for (node, state) in network.nodes.iter().zip(&flow.nodes) {
        let volts = state.voltage_v.map(|voltage| voltage.norm_sqr().sqrt());
        println!("{:10} {:8.2} {:8.2} {:8.2} V", node.name, volts[0], volts[1], volts[2]);
    }
    println!("losses {:.1} W", flow.losses_va.re);
    let path = std::env::temp_dir().join("street.svg");
    std::fs::write(&path, svg(&network, &flow, Colouring::Voltage))?;
    println!("drawn in {}", path.display());
    Ok(())
}
