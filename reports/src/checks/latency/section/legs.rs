//! Where the time goes: the spans between the measuring points, stacked.
//!
//! The percentiles of parts do not add up to the percentile of the whole; the whole's own are
//! marked beside the stack, and the page states so.

use lastmeter_chart::{Axis, Block, Chart, Colour, Figures, INK, Panel};

use super::words::{duration, nanoseconds};
use crate::latency::{Delay, LegFigures, Span};
use crate::render::figure::Csv;
use lastmeter_record::Point;

/// What happens between two points, in a word or two.
pub(super) fn name(span: Span) -> String {
    use Point::{
        Acknowledged, Answered, Asked, Committed, Heard, Intended, Obeyed, ProxyInDown, ProxyInUp,
        ProxyOutDown, ProxyOutUp, Published, Queryable, Received,
    };
    let name = match (span.from, span.to) {
        (Intended, Published) => "sender lag",
        (Published, ProxyInUp) => "sender's stack",
        (ProxyInUp, ProxyOutUp) => "up leg",
        (ProxyInDown, ProxyOutDown) => "down leg",
        (ProxyOutUp | Published, ProxyInDown | Received) => "broker",
        (ProxyOutDown, Received) => "receiver's stack",
        (ProxyOutUp | Published, Committed) => "broker and store",
        (Committed, Queryable) => "query",
        (ProxyOutDown | Published, Obeyed) => "device",
        (Obeyed, ProxyInUp) => "device's stack",
        (ProxyOutUp | Obeyed, Acknowledged) => "acknowledgement",
        (Asked, Heard) => "request",
        (Heard, Answered) => "answer",
        (from, to) => return format!("{} to {}", from.word(), to.word()),
    };
    name.to_owned()
}

/// The parts of a path and the whole of it.
pub(super) struct Legs<'a> {
    /// The parts in the order of the way.
    pub(super) parts: &'a [LegFigures],
    /// From end to end, lost messages included.
    pub(super) whole: LegFigures,
}

/// What of a leg is drawn as a bar.
type Figure = fn(&LegFigures) -> Delay;

impl Legs<'_> {
    /// The picture: a bar of medians and a bar of 99th percentiles, each on its own scale.
    pub(super) fn svg(&self) -> String {
        let mut chart = Chart::new("time by part of the way");
        for (place, leg) in self.parts.iter().enumerate() {
            chart = chart.with_key(Colour::of_part(place), name(leg.span));
        }
        let bars: [(&str, Figure); 2] = [("p50", |leg| leg.p50_ns), ("p99", |leg| leg.p99_ns)];
        for (name, value) in bars {
            let value = |leg: &LegFigures| nanoseconds(value(leg)).max(0.0);
            let sum: f64 = self.parts.iter().map(value).sum();
            let whole = value(&self.whole);
            // A lost message is beyond every axis.
            let end = if whole.is_finite() { sum.max(whole) } else { sum };
            let end = (end * 1.04).max(1e3);
            let flat = Axis::linear(0.0, end, Figures::Nanoseconds);
            let mut panel = Panel::new(flat, Axis::bare(), 32.0);
            panel.note(format!("{name}: whole way {}", duration(whole)), INK);
            let mut from_ns = 0.0;
            for (place, leg) in self.parts.iter().enumerate() {
                let to_ns = from_ns + value(leg);
                let hint = format!("{}: {name} {}", self::name(leg.span), duration(value(leg)));
                // What takes hardly any time is still seen.
                let seen_ns = to_ns.max(from_ns + 0.002 * end);
                let (from, to) = ((from_ns, 0.1), (seen_ns, 0.9));
                let (colour, text) = (Colour::of_part(place), String::new());
                panel.block(Block { from, to, colour, opacity: 0.8, hint, text });
                from_ns = to_ns;
            }
            panel.mark(whole, "", INK, (2.0, ""));
            chart = chart.with_panel(panel);
        }
        chart.svg()
    }

    pub(super) const COLUMNS: &'static str = "path,leg,from,to,n,p50_ms,p99_ms,p99.9_ms,max_ms";

    /// Adds the whole way and its parts to the table.
    pub(super) fn lines(&self, path: &str, csv: &mut Csv) {
        let mut line = |name: &str, leg: &LegFigures| {
            let delays = [leg.p50_ns, leg.p99_ns, leg.p999_ns, leg.max_ns];
            let delays = delays.map(|delay| nanoseconds(delay) / 1e6);
            csv.line(
                &[path, name, leg.span.from.word(), leg.span.to.word()],
                &[&[leg.n as f64], &delays[..]].concat(),
            );
        };
        line("whole way", &self.whole);
        for leg in self.parts {
            line(&name(leg.span), leg);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::INFINITE;

    fn leg(from: Point, to: Point, p50_ns: Delay, p99_ns: Delay) -> LegFigures {
        let span = Span { from, to };
        LegFigures { span, n: 7, p50_ns, p99_ns, p999_ns: INFINITE, max_ns: INFINITE }
    }

    #[test]
    fn the_parts_and_the_whole_are_in_the_table_as_they_are() {
        let parts = [
            leg(Point::Intended, Point::Published, 50_000, 400_000),
            leg(Point::Published, Point::Received, 70_000_000, 90_000_001),
        ];
        let whole = leg(Point::Intended, Point::Received, 70_100_000, INFINITE);
        let legs = Legs { parts: &parts, whole };
        let mut csv = Csv::new(Legs::COLUMNS);
        legs.lines("reading>head-end", &mut csv);
        assert_eq!(
            csv.finish(),
            "path,leg,from,to,n,p50_ms,p99_ms,p99.9_ms,max_ms\n\
             reading>head-end,whole way,intended,received,7,70.1,inf,inf,inf\n\
             reading>head-end,sender lag,intended,published,7,0.05,0.4,inf,inf\n\
             reading>head-end,broker,published,received,7,70,90.000001,inf,inf\n"
        );
        let svg = legs.svg();
        assert!(svg.contains("whole way 70.1 ms") && svg.contains("whole way infinite"), "{svg}");
        assert!(svg.contains("sender lag: p50 0.05 ms") && !svg.contains("NaN"));
    }

    #[test]
    fn every_stretch_has_a_name() {
        for from in Point::ALL {
            for to in Point::ALL {
                assert!(!name(Span { from, to }).is_empty());
            }
        }
        let strange = Span { from: Point::Received, to: Point::Queryable };
        assert_eq!(name(strange), "received to queryable");
    }
}
