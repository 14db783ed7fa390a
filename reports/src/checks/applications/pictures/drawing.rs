//! A small one-line diagram: strokes, marks and words. Colours are the words of the palette, so
//! that a page shows them in its theme; what they mean, widths and shapes mean as well.

use std::fmt::Arguments;

use lastmeter_chart::{BAD, Colour, DATA, INJECTED, INK, LINE, REST, SHADE, STRONG, decade_step};
use lastmeter_text::{append, escape};

use super::plan::{Element, Plan};

/// As wide as a phone shows without making it smaller.
const WIDTH: f64 = 376.0;
const MARGIN: (f64, f64) = (20.0, 22.0);
/// So tall is the tree if its rows are many, and the room of a row, pixels.
const TALL: f64 = 460.0;
const ROW: (f64, f64) = (4.5, 30.0);
/// Below the tree: a scale or a legend.
const FOOT: f64 = 44.0;

/// How an element or a load is supplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    Whole,
    /// Some of its phases.
    Partly,
    None,
}

impl Supply {
    /// Colour, width and dashes of a stroke.
    const fn stroke(self) -> (Colour, f64, &'static str) {
        match self {
            Self::Whole => (REST, 1.2, ""),
            Self::Partly => (INJECTED, 2.4, " stroke-dasharray=\"5 2\""),
            Self::None => (BAD, 2.4, ""),
        }
    }
}

pub(super) struct Drawing<'a> {
    plan: &'a Plan,
    /// Of each node how many steps to the right it is.
    steps: &'a [f64],
    /// Pixels of one step to the right, and of a row.
    scale: (f64, f64),
    height: f64,
    out: String,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(plan: &'a Plan, steps: &'a [f64], label: &str) -> Self {
        let far = plan.shown().map(|node| steps[node]).fold(0.0, f64::max);
        let far = if far > 0.0 { far } else { 1.0 };
        let row = (TALL / plan.rows.max(1) as f64).clamp(ROW.0, ROW.1);
        let height = (2.0 * MARGIN.1 + row * plan.rows.saturating_sub(1) as f64 + FOOT).round();
        let out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n",
            escape(label)
        );
        let scale = ((WIDTH - 2.0 * MARGIN.0) / far, row);
        Self { plan, steps, scale, height, out }
    }

    fn add(&mut self, drawn: Arguments<'_>) {
        append(&mut self.out, drawn);
    }

    /// Where a node stands; none if it is left out.
    pub(super) fn place(&self, node: usize) -> Option<(f64, f64)> {
        let row = self.plan.row.get(node).copied().flatten()?;
        let x = MARGIN.0 + self.scale.0 * self.steps[node];
        Some((x, MARGIN.1 + self.scale.1 * row as f64))
    }

    /// A place on a line, given the share of its length from its first end.
    pub(super) fn on_line(&self, (from, to): (usize, usize), share: f64) -> Option<(f64, f64)> {
        let ((x1, y1), (x2, y2)) = (self.place(from)?, self.place(to)?);
        let (share, parents) = (share.clamp(0.0, 1.0), &self.plan.tree.parents);
        let y = match () {
            () if parents[to] == Some(from) => y2,
            () if parents[from] == Some(to) => y1,
            () => y1 + (y2 - y1) * share,
        };
        Some((x1 + (x2 - x1) * share, y))
    }

    /// From a node to one behind it: along the row of that.
    fn way(&self, from: usize, to: usize) -> Option<String> {
        let ((x1, y1), (x2, y2)) = (self.place(from)?, self.place(to)?);
        Some(if y1 == y2 {
            format!("M{x1:.1} {y1:.1}H{x2:.1}")
        } else {
            format!("M{x1:.1} {y1:.1}V{y2:.1}H{x2:.1}")
        })
    }

    /// Makes an element stand out, below what is drawn of the tree.
    pub(super) fn halo(&mut self, (one, other): (usize, usize), title: &str) {
        let (from, to) =
            if self.plan.tree.parents[one] == Some(other) { (other, one) } else { (one, other) };
        let Some(way) = self.way(from, to) else { return };
        // What has no length is a dot, by the round ends of its stroke.
        self.add(format_args!(
            "<g fill=\"none\" stroke=\"{DATA}\" stroke-width=\"11\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\" opacity=\"0.35\"><title>{}</title><path d=\"{way}\"/>\
             </g>\n",
            escape(title)
        ));
    }

    /// The tree, given how each node and what it hangs by is supplied; what is without is on top.
    pub(super) fn tree(&mut self, supply: impl Fn(usize) -> Supply) {
        let plan = self.plan;
        for shown in [Supply::Whole, Supply::Partly, Supply::None] {
            let ends = plan.shown().filter(|node| plan.is_joint[*node]);
            for node in ends.filter(|node| supply(*node) == shown) {
                self.stroke(node, shown);
            }
        }
        self.sources();
    }

    /// From the joint before a node to the node.
    fn stroke(&mut self, node: usize, supply: Supply) {
        let (mut from, mut names, mut symbols) = (node, Vec::new(), String::new());
        while let Some(parent) = self.plan.tree.parents[from] {
            for Element { kind, name, .. } in self.plan.hangs_by(from) {
                names.push(format!("{kind} {name}"));
                symbols.extend(self.symbol(kind, parent, from));
            }
            from = parent;
            if self.plan.is_joint[from] {
                break;
            }
        }
        let Some(way) = self.way(from, node).filter(|_| from != node) else { return };
        let (colour, width, dashes) = supply.stroke();
        names.reverse();
        self.add(format_args!(
            "<g fill=\"none\" stroke=\"{colour}\"><title>{}</title><path d=\"{way}\" \
             stroke-width=\"{width}\"{dashes}/>{symbols}</g>\n",
            escape(&names.join(", ")),
        ));
    }

    /// What a stroke has in its middle.
    fn symbol(&self, kind: &str, from: usize, to: usize) -> Option<String> {
        let ((x1, _), (x2, y)) = (self.place(from)?, self.place(to)?);
        let x = f64::midpoint(x1, x2);
        let circle = |x: f64| format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>");
        match kind {
            "transformer" => Some(circle(x - 2.5) + &circle(x + 2.5)),
            "switch" => Some(format!("<path d=\"M{:.1} {:.1}h6v6h-6z\"/>", x - 3.0, y - 3.0)),
            _ => None,
        }
    }

    /// A square where a source is.
    fn sources(&mut self) {
        for source in &self.plan.network.sources {
            let Some((x, y)) = self.place(source.node.index()) else { continue };
            self.add(format_args!(
                "<path d=\"M{:.1} {:.1}h10v10h-10z\" fill=\"{INK}\"><title>source {}</title>\
                 </path>\n",
                x - 5.0,
                y - 5.0,
                escape(&source.name)
            ));
        }
    }

    /// A mark at the loads of a node: whether one is without supply, and whether the other picture
    /// of the pair has it otherwise.
    pub(super) fn load(&mut self, node: usize, (is_dark, is_odd): (bool, bool), title: &str) {
        let Some((x, y)) = self.place(node) else { return };
        let radius = (0.36 * self.scale.1).clamp(1.8, 4.5);
        let (fill, stroke) = if is_dark { (BAD, BAD) } else { (SHADE, REST) };
        let shape = if is_odd {
            let (far, top) = (1.7 * radius, y - 1.7 * radius);
            format!(
                "<path d=\"M{x:.1} {top:.1}l{far:.1} {far:.1}l-{far:.1} {far:.1}l-{far:.1} \
                 -{far:.1}z\""
            )
        } else {
            format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"")
        };
        self.add(format_args!(
            "<g fill=\"{fill}\" stroke=\"{stroke}\">{shape}/><title>{}</title></g>\n",
            escape(title)
        ));
    }

    /// A flash where a fault is, with its name.
    pub(super) fn flash(&mut self, (x, y): (f64, f64), name: &str) {
        self.add(format_args!(
            "<path stroke=\"{STRONG}\" fill=\"{INJECTED}\" d=\"M{x:.1} {y:.1}m-3-16h7l-4 6h5\
             l-9 12l3-9h-5z\"><title>fault {}</title></path>\n",
            escape(name)
        ));
    }

    /// A ring around the true place of a fault.
    pub(super) fn ring(&mut self, (x, y): (f64, f64), title: &str) {
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke=\"{INJECTED}\" \
             stroke-width=\"3\"><title>{}</title></circle>\n",
            escape(title)
        ));
    }

    /// A candidate by its rank, the larger the likelier; numbers stand above it, to the
    /// left and to the right in turns.
    pub(super) fn candidate(
        &mut self,
        (x, y): (f64, f64),
        rank: usize,
        likelihood: f64,
        title: &str,
    ) {
        let radius = 2.0 + 2.5 * likelihood.clamp(0.0, 1.0);
        let (aside, base) = (if rank % 2 == 1 { x - 6.0 } else { x + 6.0 }, y - 11.0);
        self.add(format_args!(
            "<g fill=\"{DATA}\"><title>{}</title><circle cx=\"{x:.1}\" cy=\"{y:.1}\" \
             r=\"{radius:.1}\"/></g><text x=\"{aside:.1}\" y=\"{base:.1}\" \
             text-anchor=\"middle\" fill=\"{STRONG}\">{rank}</text>\n",
            escape(title)
        ));
    }

    /// Metres along the lines, below the tree.
    pub(super) fn metres(&mut self) {
        let y = self.height - FOOT + 4.0;
        let far = (WIDTH - 2.0 * MARGIN.0) / self.scale.0;
        let step = decade_step(far / 5.0).max(1.0);
        self.add(format_args!(
            "<g stroke=\"{LINE}\"><path d=\"M{} {y:.1}H{}\"/></g><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"middle\" fill=\"{INK}\">along the lines, m</text>\n",
            MARGIN.0,
            WIDTH - MARGIN.0,
            WIDTH / 2.0,
            y + 33.0
        ));
        let ticks = (far / step).floor() as u32;
        for tick in 0..=ticks {
            let metres = step * f64::from(tick);
            let x = MARGIN.0 + self.scale.0 * metres;
            self.add(format_args!(
                "<g stroke=\"{INK}\"><path d=\"M{x:.1} {y:.1}v4\"/></g><text x=\"{x:.1}\" \
                 y=\"{:.1}\" text-anchor=\"middle\" fill=\"{INK}\">{metres:.0}</text>\n",
                y + 17.0
            ));
        }
    }

    /// What strokes mean.
    pub(super) fn legend(&mut self) {
        let (mut x, y) = (MARGIN.0, self.height - 12.0);
        let words = ["no supply", "some phases", "supplied"];
        for (supply, word) in [Supply::None, Supply::Partly, Supply::Whole].into_iter().zip(words) {
            let (colour, width, dashes) = supply.stroke();
            self.add(format_args!(
                "<g stroke=\"{colour}\"><path d=\"M{x} {:.1}h20\" \
                 stroke-width=\"{width}\"{dashes}/></g><text x=\"{}\" y=\"{y}\" \
                 fill=\"{INK}\">{word}</text>\n",
                y - 4.0,
                x + 25.0
            ));
            x += 44.0 + 6.6 * word.len() as f64;
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }
}
