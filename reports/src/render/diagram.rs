//! The timeline strip and the picture of the bench, drawn by hand as SVG.
//!
//! Lengths along the timeline are percentages, so it fills any width and its letters stay
//! readable on a phone. Colours are the words of the style sheet, as for curves.

use lastmeter_chart::{BAD, Colour, DATA, INJECTED, INK, LINE, SHADE, STRONG, time_ticks};
use lastmeter_text::{append, escape};

/// Something on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// Which row of the strip.
    pub(crate) lane: Lane,
    /// Seconds since the start.
    pub(crate) from_s: f64,
    /// Seconds since the start; the same as `from_s` for an instant.
    pub(crate) to_s: f64,
    pub(crate) text: String,
    /// The same in a few words, shown beside the mark where there is room; may be empty.
    pub(crate) label: String,
}

lastmeter_units::words! {
    /// A row of the strip.
    pub(crate) enum Lane {
        /// What the bench did to the system, restarts, the end by interruption.
        Injected = "injected",
        /// Commands and their acknowledgements.
        Commands = "commands",
        /// Alerts.
        Alerts = "alerts",
        /// Refusals.
        Refused = "refused",
        /// Spans in which values are missing.
        Missing = "missing",
        /// Spans in which something came that was not due.
        Unexpected = "unexpected",
    }
}

impl Lane {
    const fn colour(self) -> Colour {
        match self {
            Self::Injected => INJECTED,
            Self::Commands | Self::Alerts => DATA,
            Self::Refused | Self::Missing | Self::Unexpected => BAD,
        }
    }
}

const LANE_HEIGHT: usize = 22;
/// Where the strip begins, in percent of the width: left of it stand the lanes' names.
const LEFT: f64 = 21.0;
const RIGHT: f64 = 94.0;
/// The most steps of its time axis.
const TICKS: u32 = 5;

/// The strip: one lane for each kind of mark there is.
pub(crate) fn timeline(marks: &[Mark], end_s: f64) -> String {
    let end_s = end_s.max(1.0);
    let x = |seconds: f64| LEFT + (RIGHT - LEFT) * (seconds / end_s).clamp(0.0, 1.0);
    let mut lanes: Vec<Lane> = marks.iter().map(|mark| mark.lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let height = LANE_HEIGHT * lanes.len().max(1) + 26;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"{height}\" role=\"img\" \
         aria-label=\"timeline\" font-family=\"sans-serif\" font-size=\"11.5\">"
    );
    for (place, lane) in lanes.iter().enumerate() {
        let y = place * LANE_HEIGHT;
        let (middle, base) = (y + LANE_HEIGHT / 2, y + LANE_HEIGHT / 2 + 4);
        let name = lane.word();
        append(
            &mut svg,
            format_args!(
                "<text x=\"0\" y=\"{base}\" fill=\"{INK}\">{name}</text>\
             <line x1=\"{LEFT}%\" x2=\"{RIGHT}%\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"{LINE}\"/>"
            ),
        );
        let mut mine: Vec<&Mark> = marks.iter().filter(|mark| mark.lane == *lane).collect();
        mine.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
        for (place, mark) in mine.iter().enumerate() {
            let (from, to) = (x(mark.from_s), x(mark.to_s));
            draw_mark(&mut svg, mark, y, from, to);
            // Of several at one place the first that has words speaks for all.
            let is_here = |other: &&&Mark| (x(other.from_s) - from).abs() < 0.3;
            let is_first = !mine[..place]
                .iter()
                .rev()
                .take_while(is_here)
                .any(|other| !other.label.is_empty());
            let next =
                mine[place..].iter().find(|other| !is_here(other) && !other.label.is_empty());
            let next = next.map_or(100.0, |next| x(next.from_s));
            if is_first {
                draw_label(&mut svg, &mark.label, base, from, next);
            }
        }
    }
    let axis = LANE_HEIGHT * lanes.len().max(1);
    let (end, base) = (axis + 4, axis + 17);
    for (seconds, label) in time_ticks(end_s, TICKS) {
        let x = x(seconds);
        append(
            &mut svg,
            format_args!(
                "<line x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{axis}\" y2=\"{end}\" stroke=\"{INK}\"/>\
                 <text x=\"{x:.2}%\" y=\"{base}\" fill=\"{INK}\" text-anchor=\"middle\">{label}</text>"
            ),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn draw_mark(svg: &mut String, mark: &Mark, y: usize, from: f64, to: f64) {
    let colour = mark.lane.colour();
    let title = escape(&mark.text);
    let top = y + 4;
    let height = LANE_HEIGHT - 8;
    // An instant is a stroke of three pixels, a span a bar of its length, at least that wide.
    append(
        svg,
        format_args!(
            "<g><title>{title}</title><rect x=\"{from:.2}%\" y=\"{top}\" width=\"3\" height=\"{height}\" \
         rx=\"1\" fill=\"{colour}\"/>"
        ),
    );
    if to > from {
        let width = to - from;
        append(
            svg,
            format_args!(
                "<rect x=\"{from:.2}%\" y=\"{top}\" width=\"{width:.2}%\" height=\"{height}\" rx=\"2\" \
             fill=\"{colour}\" opacity=\"0.3\"/>"
            ),
        );
    }
    svg.push_str("</g>");
}

/// The words of a mark, as far as the next mark leaves room. They are hidden on a phone, where the
/// strip is too narrow for any.
fn draw_label(svg: &mut String, label: &str, base: usize, from: f64, next: f64) {
    // As wide as on a printed page; on a screen there is more room.
    const PIXELS_PER_PERCENT: f64 = 6.9;
    const PIXELS_PER_LETTER: f64 = 6.0;
    const LETTERS_MIN: usize = 5;
    let room = ((next - from) * PIXELS_PER_PERCENT - 12.0) / PIXELS_PER_LETTER;
    let room = room.max(0.0) as usize;
    let letters = label.chars().count();
    if letters == 0 || room < LETTERS_MIN.min(letters) {
        return;
    }
    let shown = shortened(label, room);
    append(
        svg,
        format_args!(
            "<text class=\"label\" x=\"{from:.2}%\" dx=\"7\" y=\"{base}\" \
             fill=\"{STRONG}\">{}</text>",
            escape(&shown)
        ),
    );
}

/// At most so many letters, the last an ellipsis if there were more.
fn shortened(text: &str, letters_max: usize) -> String {
    let mut shown: String = text.chars().take(letters_max).collect();
    if text.chars().count() > letters_max {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The bench: what makes the signal, what measures it, who stores it, and where the record looks.
pub(crate) struct Bench {
    /// The sources, a line each.
    pub(crate) sources: Vec<String>,
    /// The devices, a line each.
    pub(crate) devices: Vec<String>,
    /// How the devices reach the platform: a word each of their networks, and what goes without.
    pub(crate) ways: Vec<String>,
    /// The platform, a line each.
    pub(crate) platform: Vec<String>,
}

/// The most characters of a line in a box.
const LINE_MAX: usize = 24;
/// The most ways to the platform that are named, and the most characters of one.
const WAYS_MAX: usize = 4;
const WAY_LETTERS_MAX: usize = 10;
/// The left edges of the boxes, and the upper ones.
const BOXES: [u32; 4] = [0, 216, 0, 200];

/// The picture of the bench: narrow enough for a phone.
pub(crate) fn bench(bench: &Bench) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 376 330\" width=\"376\" \
         height=\"330\" role=\"img\" aria-label=\"the bench\" font-family=\"sans-serif\" \
         font-size=\"13\">",
    );
    let record = ["joined by device,".to_owned(), "epoch, serial, quantity".to_owned()];
    let [left, right, above, below] = BOXES;
    for (x, y, title, lines) in [
        (left, above, "source", bench.sources.as_slice()),
        (right, above, "device", bench.devices.as_slice()),
        (right, below, "platform", bench.platform.as_slice()),
        (left, below, "record", record.as_slice()),
    ] {
        draw_box(&mut svg, (x, y), title, lines);
    }
    // The truth goes round the device and the platform.
    append(
        &mut svg,
        format_args!(
            "<g fill=\"none\" stroke=\"{INK}\" stroke-width=\"1.5\">\
             <path d=\"M162 52H208\"/><path d=\"M296 106V192\"/></g>\
             <path d=\"M208 47l7 5l-7 5ZM291 192l5 7l5 -7Z\" fill=\"{INK}\"/>\
             <path d=\"M214 252H170\" fill=\"none\" stroke=\"{INJECTED}\" stroke-width=\"1.5\"/>\
             <path d=\"M170 247l-7 5l7 5Z\" fill=\"{INJECTED}\"/>\
             <text x=\"189\" y=\"244\" fill=\"{INK}\" text-anchor=\"middle\" font-size=\"12\">\
             REST</text>\
             <circle cx=\"214\" cy=\"252\" r=\"5\" fill=\"{INJECTED}\"/>\
             <text x=\"188\" y=\"324\" fill=\"{INK}\" text-anchor=\"middle\" font-size=\"12\">\
             reported: what the platform gives back</text>\
             <path d=\"M80 104V192\" fill=\"none\" stroke=\"{DATA}\" stroke-width=\"1.5\" \
             stroke-dasharray=\"5 4\"/>\
             <path d=\"M75 192l5 7l5 -7Z\" fill=\"{DATA}\"/>\
             <circle cx=\"80\" cy=\"104\" r=\"5\" fill=\"{DATA}\"/>\
             <g fill=\"{INK}\" font-size=\"12\">\
             <text x=\"92\" y=\"146\">reference: the true value</text>\
             <text x=\"92\" y=\"162\">over the reading's span</text></g>"
        ),
    );
    let first = 158 - 8 * bench.ways.len().min(WAYS_MAX) as u32;
    for (way, y) in bench.ways.iter().take(WAYS_MAX).zip((first..).step_by(16)) {
        let way = escape(&shortened(way, WAY_LETTERS_MAX));
        let place = format_args!("x=\"304\" y=\"{y}\" fill=\"{INK}\" font-size=\"12\"");
        append(&mut svg, format_args!("<text {place}>{way}</text>"));
    }
    svg.push_str("</svg>");
    svg
}

fn draw_box(svg: &mut String, (x, y): (u32, u32), title: &str, lines: &[String]) {
    let (middle, left, top, base) = (x + 80, x + 1, y + 1, y + 24);
    append(
        svg,
        format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"158\" height=\"104\" rx=\"8\" fill=\"{SHADE}\" \
         stroke=\"{LINE}\"/>\
         <text x=\"{middle}\" y=\"{base}\" fill=\"{INK}\" text-anchor=\"middle\" font-weight=\"600\">{title}</text>"
        ),
    );
    for (place, line) in lines.iter().take(4).enumerate() {
        let y = base as usize + 20 + 17 * place;
        let shown = escape(&shortened(line, LINE_MAX));
        let size = if shown.chars().count() > 23 { 10.8 } else { 12.0 };
        append(
            svg,
            format_args!(
                "<text x=\"{middle}\" y=\"{y}\" fill=\"{INK}\" text-anchor=\"middle\" font-size=\"{size}\">{shown}</text>"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "</svg><script>alert(1)</script>\u{0}\"'&";
        let mark = Mark {
            lane: Lane::Missing,
            from_s: 1.0,
            to_s: 2.0,
            text: hostile.to_owned(),
            label: hostile.to_owned(),
        };
        let picture = Bench {
            sources: vec![hostile.to_owned()],
            devices: vec![hostile.to_owned()],
            ways: vec![hostile.to_owned()],
            platform: vec![],
        };
        for svg in [timeline(&[mark], 10.0), bench(&picture)] {
            assert!(!svg.contains("<script") && !svg.contains('\u{0}'));
            assert_eq!(svg.matches("</svg>").count(), 1);
        }
    }

    #[test]
    fn marks_have_their_words_as_far_as_there_is_room() {
        let mark = |from_s, label: &str| Mark {
            lane: Lane::Injected,
            from_s,
            to_s: from_s,
            text: String::new(),
            label: label.to_owned(),
        };
        // A tenth of the strip is 7.3 % of the width, which has room for six letters.
        let marks = [mark(50.0, "kill platform"), mark(10.0, "disconnect wan"), mark(20.0, "x")];
        let svg = timeline(&marks, 100.0);
        assert!(svg.contains(">kill platform</text>") && svg.contains(">disco"), "{svg}");
        assert!(
            !svg.contains(">disconnect wan<") && svg.contains("…</text>") && svg.contains(">x<")
        );
        let svg = timeline(&[mark(10.0, ""), mark(10.0, "kill"), mark(10.0, "stop")], 100.0);
        assert!(svg.contains(">kill<") && !svg.contains(">stop<"), "{svg}");
        let svg = timeline(&[mark(10.0, "disconnect wan"), mark(11.0, "x")], 100.0);
        assert_eq!(svg.matches("class=\"label\"").count(), 1, "one percent has no room");
    }

    /// Read back from the picture: each stroke below the lanes, and what is written there.
    #[test]
    fn a_label_of_the_strip_stands_at_its_time() {
        for (end_s, expected) in [
            (6.0, vec![("0 s", 0.0), ("2 s", 2.0), ("4 s", 4.0), ("6 s", 6.0)]),
            (100.0, vec![("0 s", 0.0), ("30 s", 30.0), ("60 s", 60.0), ("90 s", 90.0)]),
        ] {
            let svg = timeline(&[], end_s);
            let strokes = svg.split("<line x1=\"").skip(1);
            let found: Vec<(String, String)> = strokes
                .map(|rest| {
                    let label = rest.split("middle\">").nth(1).unwrap().split('<').next().unwrap();
                    (label.to_owned(), rest.split('%').next().unwrap().to_owned())
                })
                .collect();
            let place = |at: f64| format!("{:.2}", LEFT + (RIGHT - LEFT) * at / end_s);
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|(label, at)| (label.to_owned(), place(at))).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_strip_has_a_lane_for_each_kind_that_happened() {
        let mark =
            |lane| Mark { lane, from_s: 0.0, to_s: 0.0, text: String::new(), label: String::new() };
        let svg = timeline(&[mark(Lane::Missing), mark(Lane::Injected), mark(Lane::Missing)], 60.0);
        assert!(svg.contains(">missing<") && svg.contains(">injected<"));
        assert!(!svg.contains(">refused<"));
        assert!(svg.find(">injected<") < svg.find(">missing<"));
    }
}
