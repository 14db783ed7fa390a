//! Waveforms one below the other: a panel for each group of channels, over the same time.

use std::fmt::Write as _;

use lastmeter_text::escape;

use super::plot::{Chart, PALETTE, PlotError, Point, Series};

/// One panel.
#[derive(Clone, Debug)]
pub struct WaveformPanel<'a> {
    /// What it shows, with its unit.
    pub label: String,
    /// Curves with their names, at whole multiples of one time from 0 on.
    pub curves: Vec<(&'a str, &'a [f64])>,
}

/// Of each curve so many points at most are drawn, each the extremes of a span of time.
const POINTS_MAX: usize = 1000;

/// Pixels of a panel, and of the line of names above it.
const WIDTH: usize = 560;
const PANEL: usize = 236;
const NAMES: usize = 22;

/// The picture, as SVG.
///
/// # Errors
/// If the plotting library cannot draw it.
pub fn waveforms(panels: &[WaveformPanel<'_>], every_s: f64) -> Result<String, PlotError> {
    let height = panels.len() * (PANEL + NAMES);
    // Writing to a String cannot fail.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let top = number * (PANEL + NAMES);
        let mut left = 78;
        for (place, (name, _)) in panel.curves.iter().enumerate() {
            let colour = PALETTE[place % PALETTE.len()];
            let _ = writeln!(
                svg,
                "<text x=\"{left}\" y=\"{}\" font-family=\"sans-serif\" font-size=\"13\" \
                 fill=\"#{:02X}{:02X}{:02X}\">{}</text>",
                top + NAMES - 6,
                colour.0,
                colour.1,
                colour.2,
                escape(name)
            );
            left += 9 * name.chars().count() + 16;
        }
        let chart = chart(panel, every_s).svg()?;
        let _ = writeln!(svg, "<g transform=\"translate(0 {})\">\n{chart}</g>", top + NAMES);
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn chart(panel: &WaveformPanel<'_>, every_s: f64) -> Chart {
    let longest = panel.curves.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let series = panel.curves.iter().enumerate().map(|(colour, (_, values))| {
        let span = values.len().div_ceil(POINTS_MAX).max(1);
        let points = values.chunks(span).enumerate().map(|(number, chunk)| {
            let least = chunk.iter().copied().fold(f64::INFINITY, f64::min);
            let largest = chunk.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let middle = number as f64 * span as f64 + (chunk.len() - 1) as f64 / 2.0;
            let mean = chunk.iter().sum::<f64>() / chunk.len() as f64;
            Point { x_s: middle * every_s, min: least, mean, max: largest }
        });
        Series { colour, points: points.collect() }
    });
    Chart {
        y_label: panel.label.clone(),
        series: series.collect(),
        limit: None,
        end_s: longest.saturating_sub(1) as f64 * every_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_panel_has_its_curves_and_names_and_long_ones_are_thinned() {
        let wave = |turns: f64| -> Vec<f64> {
            (0..40_000).map(|at| (turns * f64::from(at) / 40_000.0 * 6.283).sin()).collect()
        };
        let (one, other) = (wave(3.0), wave(5.0));
        let panels = [
            WaveformPanel {
                label: "voltage, V".to_owned(),
                curves: vec![("bus <1>", &one), ("bus 2", &other)],
            },
            WaveformPanel { label: "current, A".to_owned(), curves: vec![("line", &one)] },
        ];
        let svg = waveforms(&panels, 50e-6).unwrap();
        assert!(svg.contains("bus &lt;1&gt;") && svg.contains("voltage, V"), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), svg.matches("<polyline").count().max(3));
        assert!(svg.len() < 400_000, "{}", svg.len());
        assert!(svg.contains("height=\"516\""));
        // Nothing at all is a picture as well.
        assert!(waveforms(&[], 1.0).unwrap().ends_with("</svg>\n"));
    }
}
