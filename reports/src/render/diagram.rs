//! The timeline strip and the picture of the bench, drawn by hand as SVG.
//!
//! Lengths along the timeline are percentages, so it fills any width and its letters stay
//! readable on a phone. Colours are the words of the style sheet, as for curves.

use super::plot::clock;
use super::svg::{BAD, DATA, INJECTED, INK, LINE, SHADE};
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
    /// What it is.
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
        /// Refusals.
        Refused = "refused",
        /// Spans in which values are missing.
        Missing = "missing",
        /// Spans in which something came that was not due.
        Unexpected = "unexpected",
    }
}

impl Lane {
    const fn colour(self) -> &'static str {
        match self {
            Self::Injected => INJECTED,
            Self::Commands => DATA,
            Self::Refused | Self::Missing | Self::Unexpected => BAD,
        }
    }
}

const LANE_HEIGHT: usize = 22;
/// Where the strip begins, in percent of the width: left of it stand the lanes' names.
const LEFT: f64 = 18.0;
const RIGHT: f64 = 97.0;

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
    let axis = LANE_HEIGHT * lanes.len().max(1) + 16;
    for part in 0..=4 {
        let seconds = end_s * f64::from(part) / 4.0;
        let anchor = match part {
            0 => "start",
            4 => "end",
            _ => "middle",
        };
        append(
            &mut svg,
            format_args!(
                "<text x=\"{:.2}%\" y=\"{axis}\" fill=\"{INK}\" text-anchor=\"{anchor}\">{}</text>",
                x(seconds),
                clock(seconds)
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
             fill=\"{colour}\" opacity=\"0.45\"/>"
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
            "<text class=\"label\" x=\"{from:.2}%\" dx=\"7\" y=\"{base}\" fill=\"{INK}\">{}</text>",
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
    /// The platform, a line each.
    pub(crate) platform: Vec<String>,
}

/// The most characters of a line in a box.
const LINE_MAX: usize = 24;

/// The picture of the bench.
pub(crate) fn bench(bench: &Bench) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 212\" width=\"760\" \
         height=\"212\" role=\"img\" aria-label=\"the bench\" font-family=\"sans-serif\" \
         font-size=\"13\">",
    );
    let record = ["joined by device,".to_owned(), "epoch, serial, quantity".to_owned()];
    let boxes = [
        (0, "source", bench.sources.as_slice()),
        (200, "device", bench.devices.as_slice()),
        (400, "platform", bench.platform.as_slice()),
        (600, "record", record.as_slice()),
    ];
    for (x, title, lines) in boxes {
        draw_box(&mut svg, x, title, lines);
    }
    for (x, label) in [(160, ""), (360, "MQTT"), (560, "REST")] {
        arrow(&mut svg, x, label);
    }
    // The truth goes round the device and the platform.
    append(
        &mut svg,
        format_args!(
            "<path d=\"M 80 118 L 80 170 L 680 170 L 680 124\" fill=\"none\" stroke=\"{DATA}\" \
         stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>\
         <path d=\"M 675 126 L 680 116 L 685 126 Z\" fill=\"{DATA}\"/>\
         <circle cx=\"80\" cy=\"118\" r=\"5\" fill=\"{DATA}\"/>\
         <text x=\"94\" y=\"162\" fill=\"{DATA}\">reference: the true value over the reading's span</text>\
         <circle cx=\"560\" cy=\"66\" r=\"5\" fill=\"{INJECTED}\"/>\
         <text x=\"560\" y=\"200\" fill=\"{INJECTED}\" text-anchor=\"middle\">reported: what the platform gives back</text>\
         <path d=\"M 560 72 L 560 186\" stroke=\"{INJECTED}\" stroke-width=\"1\" stroke-dasharray=\"2 3\"/>"
        ),
    );
    svg.push_str("</svg>");
    svg
}

fn draw_box(svg: &mut String, x: u32, title: &str, lines: &[String]) {
    let (middle, left) = (x + 80, x + 1);
    append(
        svg,
        format_args!(
            "<rect x=\"{left}\" y=\"14\" width=\"158\" height=\"104\" rx=\"8\" fill=\"{SHADE}\" \
         stroke=\"{LINE}\"/>\
         <text x=\"{middle}\" y=\"38\" fill=\"{INK}\" text-anchor=\"middle\" font-weight=\"600\">{title}</text>"
        ),
    );
    for (place, line) in lines.iter().take(4).enumerate() {
        let y = 58 + 17 * place;
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

fn arrow(svg: &mut String, x: u32, label: &str) {
    let (from, to, middle) = (x + 2, x + 32, x + 19);
    let tip = x + 38;
    append(
        svg,
        format_args!(
            "<path d=\"M {from} 66 L {to} 66\" stroke=\"{INK}\" stroke-width=\"1.5\"/>\
         <path d=\"M {to} 61 L {tip} 66 L {to} 71 Z\" fill=\"{INK}\"/>\
         <text x=\"{middle}\" y=\"54\" fill=\"{INK}\" text-anchor=\"middle\" font-size=\"11\">{label}</text>"
        ),
    );
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
        // A tenth of the strip is 7.9 % of the width, which has room for seven letters.
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
