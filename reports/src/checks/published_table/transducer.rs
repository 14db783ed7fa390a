//! The transducer's own figures: inputs, outputs with their start, and the response.

use crate::render::figure::{Figure, Key, Picture};
use crate::render::svg::{Anchor, DATA, Drawing, Frame, INJECTED, INK, LINE};
use lastmeter_text::number;

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
    steps: [f64; 2],
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
        steps: [200.0, 20.0],
        logarithmic: false,
    },
    Look {
        part: "output",
        name: "figure-5",
        title: "Outputs of the transducer (Fig. 5)",
        caption: "inverted about 1.5 V; the middle comes up with the supply",
        uprights: ["output in V", ""],
        spans: [(0.0, 3.0), (0.0, 3.0)],
        steps: [0.5, 0.5],
        logarithmic: false,
    },
    Look {
        part: "magnitude",
        name: "figure-6-magnitude",
        title: "Magnitude of the outputs (Fig. 6)",
        caption: "relative to the nominal ratio; flat to 10 kHz, beyond it the modelled pole",
        uprights: ["magnitude in dB", ""],
        spans: [(-4.0, 1.0), (-4.0, 1.0)],
        steps: [1.0, 1.0],
        logarithmic: true,
    },
    Look {
        part: "phase",
        name: "figure-6-phase",
        title: "Phase of the outputs (Fig. 6)",
        caption: "180 degrees are the inversion",
        uprights: ["phase in degrees", ""],
        spans: [(120.0, 190.0), (120.0, 190.0)],
        steps: [15.0, 15.0],
        logarithmic: true,
    },
];

/// The pictures of a table `part,x,voltage,current`; none of an empty one.
pub(super) fn pictures(csv: &str, figures: &mut Vec<Figure>) -> Vec<Picture> {
    let mut made = Vec::new();
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
        let keys = [(1, "voltage"), (4, "current, dashed")];
        let keys = keys.map(|(colour, name)| Key { colour, name: name.to_owned() });
        made.push(Picture::of(figure, look.title, look.caption, figures).with_keys(keys));
    }
    made
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
    let own_axis = !look.uprights[1].is_empty();
    let right = if own_axis { 510.0 } else { 530.0 };
    let frame = Frame { left: 52.0, right, top: 26.0, bottom: 196.0 };
    let mut drawing = Drawing::new(560.0, 236.0, look.title);
    let x_of = |x: f64| if look.logarithmic { libm::log10(x.max(1e-9)) } else { 1e3 * x };
    let (from, to) = (x_of(lines[0][0]), x_of(lines[lines.len() - 1][0]));
    let x = |value: f64| frame.x((x_of(value) - from) / (to - from).max(1e-9));
    let y = |axis: usize, value: f64| {
        let (low, high) = look.spans[axis];
        frame.y(((value - low) / (high - low)).clamp(0.0, 1.0))
    };
    drawing.text((0.0, 13.0), Anchor::Start, INK, look.uprights[0]);
    drawing.text((560.0, 13.0), Anchor::End, INK, look.uprights[1]);
    let (low, high) = look.spans[0];
    let steps = ((high - low) / look.steps[0]).floor() as u32;
    for step in 0..=steps {
        let value = low + f64::from(step) * look.steps[0];
        let at = y(0, value);
        drawing.line((frame.left, at), (frame.right, at), (LINE, 1.0, ""));
        drawing.text((frame.left - 7.0, at + 4.0), Anchor::End, INK, &number(value));
        if own_axis {
            let value = look.spans[1].0 + f64::from(step) * look.steps[1];
            drawing.text((frame.right + 7.0, at + 4.0), Anchor::Start, INK, &number(value));
        }
    }
    let ticks: Vec<(f64, String)> = if look.logarithmic {
        let label = |decade: u32| match decade {
            3.. => format!("{} kHz", number(libm::exp10(f64::from(decade) - 3.0))),
            _ => format!("{} Hz", number(libm::exp10(f64::from(decade)))),
        };
        (1..=5).map(|decade| (libm::exp10(f64::from(decade)), label(decade))).collect()
    } else {
        (0..=6).map(|step| (0.01 * f64::from(step), format!("{} ms", 10 * step))).collect()
    };
    for (value, label) in ticks {
        let at = frame.x(((x_of(value) - from) / (to - from).max(1e-9)).clamp(0.0, 1.0));
        drawing.line((at, frame.top), (at, frame.bottom), (LINE, 1.0, ""));
        drawing.text((at, frame.bottom + 17.0), Anchor::Middle, INK, &label);
    }
    let places = |axis: usize, column: usize| -> Vec<(f64, f64)> {
        lines.iter().map(|line| (x(line[0]), y(axis, line[column]))).collect()
    };
    drawing.curve(&places(0, 1), DATA, 2.0);
    // Where both are the same the second is seen in the gaps of its dashes.
    let dash = (lines.len() / 40).max(4);
    for pair in places(1, 2).chunks(dash) {
        drawing.curve(&pair[..pair.len().min(dash * 3 / 5 + 1)], INJECTED, 1.6);
    }
    drawing.finish()
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
