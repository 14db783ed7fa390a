//! Every kind of chart: its texts have room on a phone, its bytes are always the same, and nothing
//! in it breaks the picture.

use lastmeter_chart::{Axis, BAD, Block, Chart, DATA, Figures, Panel};

use crate::boxes;
#[expect(dead_code, reason = "its files are not written here")]
#[path = "../examples/chart.rs"]
mod example;

#[test]
fn texts_are_neither_cut_nor_overlap_on_a_phone() {
    for (name, chart) in example::charts() {
        assert_eq!(boxes::faults(&chart.svg()), [""; 0], "{name}");
    }
}

#[test]
fn the_same_chart_gives_the_same_bytes_with_its_label() {
    for ((name, one), (_, other)) in example::charts().into_iter().zip(example::charts()) {
        let svg = one.svg();
        assert_eq!(svg, other.svg(), "{name}");
        assert!(svg.contains(" role=\"img\" aria-label=\"") && svg.contains("><title>"), "{name}");
        assert!(svg.ends_with("</svg>\n") && svg.len() < 20_000, "{name}: {}", svg.len());
        assert!(!svg.contains("style="), "{name}");
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let hostile = "</svg><script>alert(1)</script>\"'&";
    let (x, y) = (Axis::categories([hostile]).named(hostile), Axis::bare().named(hostile));
    let mut panel = Panel::new(x, y, 100.0);
    panel.mark(0.5, hostile, BAD, (1.0, ""));
    panel.limit(0.97, hostile, true);
    panel.note(hostile, BAD);
    let (hint, text) = (hostile.to_owned(), "<b>".to_owned());
    let (from, to) = ((0.0, 0.0), (1.0, 1.0));
    panel.block(Block { from, to, colour: DATA, opacity: 0.5, hint, text });
    let chart = Chart::new(hostile).with_key(DATA, hostile).with_data("data-a", hostile);
    let svg = chart.with_panel(panel).svg();
    assert!(!svg.contains("<script") && !svg.contains("<b>"));
    assert_eq!((svg.matches("</svg>").count(), boxes::faults(&svg)), (1, Vec::new()));
}

#[test]
fn no_value_breaks_a_picture() {
    let values =
        [0.0, -0.0, 1.0, 1e-320, 1e308, -1e308, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for (from, to) in values.iter().flat_map(|from| values.map(|to| (*from, to))) {
        for axis in [
            Axis::linear(from, to, Figures::Plain),
            Axis::logarithmic(from, to, Figures::Nanoseconds),
            Axis::broken(from, 1.0, to, Figures::Nanoseconds),
            Axis::time(to),
        ] {
            let mut panel = Panel::new(axis.clone(), axis, 100.0);
            let points = || values.iter().copied().zip(values.into_iter().rev());
            panel.line(points(), DATA, 1.0);
            panel.dots(points(), DATA, (3.0, 1.0));
            panel.bars(points().map(|(x, y)| (x, y, from)), DATA, (1.0, 1.0));
            panel.band(&points().map(|(x, y)| (x, y, to)).collect::<Vec<_>>(), DATA, 0.2);
            panel.quartiles([from, to, from, to, from], DATA);
            panel.limit(to, "limit", true);
            panel.mark(from, "mark", BAD, (1.0, ""));
            panel.span((from, to), "span", BAD, 0.1);
            panel.label((from, to), "label", BAD);
            let svg = Chart::new("").with_panel(panel).svg();
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"));
            assert_eq!(boxes::faults(&svg), [""; 0], "{from} {to}");
        }
    }
}

/// Where lines stand and what is written below them, read back from the picture.
#[test]
fn figures_of_a_time_axis_stand_where_their_times_are() {
    for end_s in [6.0, 47.0, 200.0, 5_400.0, 86_400.0, 2.5e6] {
        let mut panel = Panel::new(Axis::time(end_s), Axis::bare(), 100.0);
        panel.line([(0.0, 0.5), (end_s / 2.0, 0.4), (end_s, 0.5)], DATA, 1.0);
        let svg = Chart::new("").with_panel(panel).svg();
        let line = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let places: Vec<f64> =
            line.split(' ').map(|it| it.split(',').next().unwrap().parse().unwrap()).collect();
        let mut count = 0;
        for element in svg.split("<text x=\"").skip(1) {
            let x: f64 = element.split('"').next().unwrap().parse().unwrap();
            let label = element.split(['>', '<']).nth(1).unwrap();
            let (figure, unit) = label.split_once(' ').unwrap();
            let units = [("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)];
            let unit = units.iter().find(|it| it.0 == unit).unwrap().1;
            let at = figure.parse::<f64>().unwrap() * unit;
            let expected = places[0] + at / end_s * (places[2] - places[0]);
            assert!((x - expected).abs() <= 0.2, "{label} of {end_s} at {x}, not {expected}");
            count += 1;
        }
        assert!(count >= 3, "{count} of {end_s}: {svg}");
    }
}
