//! The transducer's own figures: inputs, outputs with their start, and the response.

use lastmeter_chart::{Axis, Chart, DATA, Figures, INJECTED, Panel};

use crate::render::figure::{Figure, Picture};

const DASHES: &str = "6 4";

/// A line of the table: where, voltage, current.
type Line = [f64; 3];

/// How one picture is drawn.
struct Look {
    part: &'static str,
    name: &'static str,
    title: &'static str,
    caption: &'static str,
    /// The names of both upright axes; the second is the current's where it has its own.
    uprights: [&'static str; 2],
    /// The spans of both upright axes.
    spans: [(f64, f64); 2],
    logarithmic: bool,
}

const LOOKS: [Look; 4] = [
    Look {
        part: "input",
        name: "figure-4",
        title: "Inputs of the transducer (Fig. 4)",
        caption: "230 V and 15 A r.m.s., switched on at a zero crossing",
        uprights: ["voltage in V", "current in A"],
        spans: [(-400.0, 400.0), (-40.0, 40.0)],
        logarithmic: false,
    },
    Look {
        part: "output",
        name: "figure-5",
        title: "Outputs of the transducer (Fig. 5)",
        caption: "inverted about 1.5 V; the middle comes up with the supply",
        uprights: ["output in V", ""],
        spans: [(0.0, 3.0), (0.0, 3.0)],
        logarithmic: false,
    },
    Look {
        part: "magnitude",
        name: "figure-6-magnitude",
        title: "Magnitude of the outputs (Fig. 6)",
        caption: "relative to the nominal ratio; flat to 10 kHz, beyond it the modelled pole",
        uprights: ["magnitude in dB", ""],
        spans: [(-4.0, 1.0), (-4.0, 1.0)],
        logarithmic: true,
    },
    Look {
        part: "phase",
        name: "figure-6-phase",
        title: "Phase of the outputs (Fig. 6)",
        caption: "180 degrees are the inversion",
        uprights: ["phase in degrees", ""],
        spans: [(120.0, 190.0), (120.0, 190.0)],
        logarithmic: true,
    },
];

/// The pictures of a table `part,x,voltage,current`; none of an empty one.
pub(super) fn pictures(csv: &str, figures: &mut Vec<Figure>) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for look in &LOOKS {
        let lines: Vec<Line> = csv.lines().filter_map(|line| read(line, look.part)).collect();
        if lines.len() < 2 {
            continue;
        }
        let prefix = format!("{},", look.part);
        let data = csv.lines().filter_map(|line| line.strip_prefix(&prefix));
        let mut table = String::from(if look.logarithmic { "hertz" } else { "seconds" });
        table.push_str(",voltage,current\n");
        for line in data {
            table.push_str(line);
            table.push('\n');
        }
        let svg = svg(look, &lines);
        let figure = Figure::drawn(look.name, svg, table);
        pictures.push(Picture::of(figure, look.title, look.caption, figures));
    }
    pictures
}

fn read(line: &str, part: &str) -> Option<Line> {
    let mut cells = line.split(',');
    if cells.next()? != part {
        return None;
    }
    let mut number = || cells.next()?.parse::<f64>().ok().filter(|value| value.is_finite());
    Some([number()?, number()?, number()?])
}

fn svg(look: &Look, lines: &[Line]) -> String {
    let (from, to) = (lines[0][0], lines[lines.len() - 1][0]);
    let (scale, flat) = if look.logarithmic {
        (1.0, Axis::logarithmic(from, to, Figures::Prefixed("Hz")))
    } else {
        (1e9, Axis::linear(1e9 * from, 1e9 * to, Figures::Nanoseconds))
    };
    let upright = |place: usize| {
        let (low, high) = look.spans[place];
        Axis::linear(low, high, Figures::Plain).named(look.uprights[place])
    };
    let mut panel = Panel::new(flat, upright(0), 150.0);
    if !look.uprights[1].is_empty() {
        panel = panel.with_second(upright(1));
    }
    let curve = |column: usize, factor: f64| {
        lines.iter().map(move |line| (scale * line[0], factor * line[column]))
    };
    panel.line(curve(1, 1.0), DATA, 2.0);
    // The second axis has the same lines. Where both curves are the same the second is seen in the
    // gaps of its dashes.
    let factor = look.spans[0].1 / look.spans[1].1;
    panel.dashed(curve(2, factor), INJECTED, (1.6, DASHES));
    let chart = Chart::new(look.title).with_key(DATA, "voltage");
    chart.with_dashed_key(INJECTED, "current", DASHES).with_panel(panel).svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_table_becomes_a_picture_with_its_data() {
        let csv = "part,x,voltage,current\ninput,0,0,0\ninput,0.06,325,21\nmagnitude,10,0,0\n\
                   magnitude,100000,-3,-3\nphase,10,180,x\n<script>,1,2,3\n";
        let mut figures = Vec::new();
        let pictures = pictures(csv, &mut figures);
        assert_eq!(pictures.len(), 2, "a part that cannot be read has none");
        assert_eq!(
            figures[0].csv.as_deref(),
            Some("seconds,voltage,current\n0,0,0\n0.06,325,21\n")
        );
        assert!(figures[1].csv.as_deref().unwrap().starts_with("hertz,voltage,current\n10,0,0\n"));
        assert!(pictures.iter().all(|picture| !picture.svg.contains("script")));
        assert!(super::pictures("", &mut figures).is_empty());
    }
}
