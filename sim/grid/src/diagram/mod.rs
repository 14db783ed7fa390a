//! The one-line diagram of a network as a picture, coloured by voltage or by loading.
//!
//! Nodes stand where the network says, or else as a tree from the sources to the right. The same
//! network and results give the same bytes.

mod draw;
mod layout;

pub use draw::Colouring;

use crate::flow::Flow;
use crate::network::Network;

/// Draws a network with the results of its power flow; what no source reaches is grey.
pub fn svg(network: &Network, flow: &Flow, colouring: Colouring) -> String {
    let places = layout::places(network);
    draw::draw(network, flow, colouring, &places)
}

#[cfg(test)]
mod tests {
    use super::{Colouring, svg};
    use crate::flow::{Options, solve};
    use crate::format::dss;

    const FEEDER: &str = "new circuit.a&b basekv=11\n\
        new transformer.t buses=[sourcebus 1] conns=[delta wye] kvs=[11 .4] kvas=[400 400]\n\
        new line.one bus1=1 bus2=2 r1=.1 x1=.1 c1=0 c0=0 normamps=100\n\
        new line.two bus1=2.2 bus2=<3>.2 phases=1 r1=.1 x1=.1 c1=0\n\
        new line.tie bus1=2 bus2=4 r1=.1 x1=.1 c1=0 c0=0\nopen line.tie 2\n\
        new load.l bus1=<3>.2 phases=1 kv=.23 kw=8 kvar=2\n";

    #[test]
    fn a_diagram_has_its_nodes_its_open_ends_and_a_legend_and_is_the_same_each_time() {
        let network = dss::read("f", FEEDER, &mut |_| Err(String::new())).unwrap().network;
        let flow = solve(&network, &Options::default()).unwrap();
        let picture = svg(&network, &flow, Colouring::Voltage);
        assert_eq!(picture, svg(&network, &flow, Colouring::Voltage));
        assert_eq!(picture.matches("<title>node ").count(), 5);
        assert!(picture.contains(">a&amp;b<") && picture.contains(">&lt;3&gt;<"));
        assert_eq!(picture.matches("<title>line ").count(), 3);
        // The tie, and the legend's sign of what is open.
        assert_eq!(picture.matches("stroke-dasharray=\"4 4\"").count(), 2);
        assert!(picture.contains("lowest voltage, pu of rated"));
        let opened = picture.matches("<g").count() + picture.matches("<text").count();
        let closed = picture.matches("</g>").count() + picture.matches("</text>").count();
        assert_eq!(opened, closed);
        let farthest = svg(&network, &flow, Colouring::Farthest);
        assert!(farthest.contains("voltage farthest from the rated one, pu"));
        let other = svg(&network, &flow, Colouring::Loading);
        assert!(other.contains("line one: ") && other.contains("loading, % of rated"));
    }
}
