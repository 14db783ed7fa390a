//! The one-line diagram of a network as a picture, coloured by voltage or by loading.
//!
//! Nodes stand where the network places them, or else as a tree from the sources to the right. The
//! same network and results give the same bytes.

mod draw;
mod labels;
mod layout;

pub use draw::{Colouring, Mark};
pub use layout::Tree;

use crate::flow::Flow;
use crate::network::{Network, Wires};
use draw::DiagramContent;

/// Where nodes stand, in pixels, the smallest of them at zero: as the network places them, or else
/// as a tree from the sources to the right, in which open switches join nothing.
pub fn places(network: &Network) -> Vec<(f64, f64)> {
    layout::places(network)
}

/// What hangs on what, over all that could carry current; lines count as closed.
pub fn tree(network: &Network) -> Tree {
    layout::tree(network)
}

/// Draws a network with the results of its power flow; what no source reaches is grey.
pub fn svg(network: &Network, flow: &Flow, colouring: Colouring) -> String {
    let places = layout::places(network);
    draw::draw(network, &places, DiagramContent::Flow(flow, colouring), None)
}

/// Draws which nodes have a voltage, given the phases of each that do, the poles of each switch
/// that are closed, and what else there is to be seen at some nodes. Places are those of the
/// network with its switches as they are declared; `about` is for programs that show it (`desc`).
pub fn supply_svg(
    network: &Network,
    alive: &[Wires],
    closed: &[Vec<bool>],
    marks: &[Mark],
    about: &str,
) -> String {
    let places = layout::places(network);
    let mut standing = network.clone();
    for (switch, closed) in standing.switches.iter_mut().zip(closed) {
        switch.closed = closed.iter().all(|it| *it);
    }
    draw::draw(&standing, &places, DiagramContent::Supply(alive, marks), Some(about))
}

#[cfg(test)]
mod tests {
    use super::labels::{BASE, LETTER};
    use super::{Colouring, Mark, supply_svg, svg};
    use crate::flow::{Options, solve};
    use crate::format::{dss, toml};
    use crate::motion::{Piece, cut};

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
        let mut alive: Vec<_> = network.nodes.iter().map(|node| node.wires).collect();
        alive[2] = crate::network::Wires::NONE;
        let mark = Mark { node: crate::network::NodeId(2), text: "fault:<f>".to_owned() };
        let dark = supply_svg(&network, &alive, &[], &[mark], "3 < 4");
        assert_eq!(dark.matches("no voltage</title>").count(), 1);
        assert!(dark.contains("<desc>3 &lt; 4</desc>"));
        assert!(dark.contains("fault:&lt;f&gt;") && !dark.contains("lowest voltage"));
        let other = svg(&network, &flow, Colouring::Loading);
        assert!(other.contains("line one: ") && other.contains("loading, % of rated"));
    }

    /// The feeder again, with lengths: a lateral behind node 2, and a tie that is no way.
    #[test]
    fn a_tree_has_its_rows_and_distances_along_the_lines() {
        let mut network = dss::read("f", FEEDER, &mut |_| Err(String::new())).unwrap().network;
        for (line, length_m) in network.lines.iter_mut().zip([300.0, 120.0, 45.0]) {
            line.length_m = Some(length_m);
        }
        let tree = super::tree(&network);
        let of = |name: &str| network.node(name).unwrap().index();
        let [root, low, second, third, tied] = ["sourcebus", "1", "2", "<3>", "4"].map(of);
        assert_eq!(tree.order[..3], [root, low, second]);
        assert_eq!(tree.parents[third], Some(second));
        assert_eq!((tree.parents[root], tree.along_m[low]), (None, 0.0), "a transformer is short");
        assert_eq!([second, third, tied].map(|at| tree.along_m[at]), [300.0, 420.0, 345.0]);
        assert_eq!([low, second].map(|at| tree.rows[at]), [0, 0]);
        assert_ne!(tree.rows[third], tree.rows[tied]);
        // The places of a network without any are this tree.
        let places = super::places(&network);
        let row = |at: usize| (places[at].1 / 46.0).round() as usize;
        assert!((0..places.len()).all(|at| row(at) == tree.rows[at]));
    }

    /// The area of words that were written, and they.
    fn written(x: f64, y: f64, text: &str) -> (super::labels::Area, String) {
        let wide = text.chars().count() as f64 * LETTER.0;
        ([x, y + BASE - LETTER.1, x + wide, y + BASE], text.to_owned())
    }

    /// Words with a white border are those of nodes and marks: where they stand, and what.
    fn words(picture: &str) -> Vec<(super::labels::Area, String)> {
        let all = picture.lines().filter(|line| line.contains("paint-order"));
        let value = |line: &str, key: &str| -> f64 {
            line.split_once(key).unwrap().1.split_once('"').unwrap().0.parse().unwrap()
        };
        let word = |line: &str| {
            let text = line.split_once('>').unwrap().1.trim_end_matches("</text>").to_owned();
            written(value(line, " x=\""), value(line, " y=\""), &text)
        };
        all.map(word).collect()
    }

    /// The network of a fault on a lateral: switches in front of a source and a line, and a node
    /// that divides a line.
    #[test]
    fn no_words_cover_others_and_helping_nodes_have_none() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/grids");
        let text = std::fs::read_to_string(format!("{folder}/medium-voltage.toml")).unwrap();
        let mut network = toml::read("f", &text).unwrap();
        let line = network.lines.iter().position(|it| &*it.name == "overhead 2").unwrap();
        let between = crate::short_circuit::split(&mut network, line, 1.0 / 3.0);
        assert!(cut(&mut network, Piece::Source(0)).is_some());
        assert!(cut(&mut network, Piece::Line(0)).is_some());
        let alive: Vec<_> = network.nodes.iter().map(|node| node.wires).collect();
        let mark = Mark { node: between, text: "fault:tree".to_owned() };
        let picture = supply_svg(&network, &alive, &[], &[mark], "");
        let words = words(&picture);
        assert_eq!(words.len(), network.nodes.len() - 2 + 1);
        for (at, (area, text)) in words.iter().enumerate() {
            for (other, below) in &words[..at] {
                assert!(!super::labels::overlaps(area, other), "{text} covers {below}");
            }
        }
        assert!(words.iter().any(|(_, text)| text == "overhead 2 at 33.3 %"));
        assert!(!words.iter().any(|(_, text)| text.contains("behind its switch")));
        assert!(picture.contains("some phases"));
    }
}
