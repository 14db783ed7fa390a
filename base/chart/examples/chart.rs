//! Writes one SVG of each kind of chart: `chart DIR`.

use std::f64::consts::TAU;
use std::path::PathBuf;

use lastmeter_chart::{
    Axis, BAD, Block, Chart, Colour, DATA, Figures, INJECTED, INK, Panel, REST, SECOND, SHADE,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: chart DIR")?);
    std::fs::create_dir_all(&dir)?;
    for (name, chart) in charts() {
        std::fs::write(dir.join(format!("{name}.svg")), chart.svg())?;
    }
    Ok(())
}

/// One chart of each kind, with the name of its file.
pub(crate) fn charts() -> Vec<(&'static str, Chart)> {
    vec![
        ("over-time", over_time()),
        ("scatter", scatter()),
        ("steps", steps()),
        ("percentiles", percentiles()),
        ("box", quartiles()),
        ("bars", bars()),
        ("heat-map", heat_map()),
        ("turned-names", turned_names()),
        ("two-axes", two_axes()),
        ("time-and-current", time_and_current()),
        ("errors", errors()),
    ]
}

/// So many places along a curve.
fn along(count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |step| f64::from(step) / f64::from(count))
}

fn over_time() -> Chart {
    let wave = |share: f64| 230.0 + 4.0 * (TAU * share).sin();
    let mut values = Panel::new(
        Axis::time(5_400.0),
        Axis::linear(224.0, 236.0, Figures::Plain).named("value in V"),
        120.0,
    );
    let edges: Vec<_> =
        along(60).map(|it| (5_400.0 * it, wave(it) - 1.0, wave(it) + 0.5)).collect();
    values.band(&edges, REST, 0.35);
    values.line(along(60).map(|it| (5_400.0 * it, wave(it))), DATA, 1.8);
    let error = Axis::symmetric([0.2], Figures::Plain).named("error in %");
    let mut errors = Panel::new(Axis::time(5_400.0), error, 90.0);
    errors.rule(0.15, "", BAD, "6 4");
    errors.rule(-0.15, "", BAD, "6 4");
    errors.line(along(60).map(|it| (5_400.0 * it, 0.1 * (9.0 * it).cos())), DATA, 1.8);
    Chart::new("voltage over time")
        .with_key(DATA, "reported by meter-01")
        .with_key(REST, "3 other devices: lowest to highest")
        .with_panel(values.without_x_figures())
        .with_panel(errors)
}

fn scatter() -> Chart {
    let latency = Axis::logarithmic_around(60e6, 2e9, Figures::Nanoseconds);
    let time = Axis::time(600.0).named("intended time of sending");
    let mut panel = Panel::new(time, latency.named("latency, log scale"), 210.0);
    panel.span((0.0, 30.0), "warm-up, not judged", SHADE, 1.0);
    panel.span((200.0, 260.0), "impair wan: add delay 200 ms", INJECTED, 0.13);
    panel.span((580.0, 580.0), "kill platform", INJECTED, 0.13);
    let delay = |it: f64| 90e6 * (1.0 + 4.0 * (777.0 * it).sin().powi(8));
    panel.dots(along(400).map(|it| (600.0 * it, delay(it))), DATA, (2.2, 0.75));
    panel.limit(100e6, "TT3 100 ms", false);
    panel.limit(500e6, "limit 500 ms", true);
    let mut lanes = Panel::new(Axis::time(600.0), Axis::categories(["lost"]), 22.0)
        .with_second(Axis::categories(["13"]))
        .without_x_figures();
    lanes.bars(along(12).map(|it| (600.0 * it, 0.2, 0.8)), BAD, (1.2, 1.0));
    Chart::new("latency over time").wide().with_panel(lanes).with_panel(panel)
}

fn steps() -> Chart {
    let latency = Axis::logarithmic_around(20e6, 1e9, Figures::Nanoseconds);
    let share = Axis::linear(0.0, 1.0, Figures::Percent).named("share of all messages");
    let mut panel = Panel::new(latency.named("latency, log scale"), share, 170.0);
    panel.note("13 lost: the curve ends at 97 %", BAD);
    for (limit_ms, name) in [(20.0, "TT4 20 ms"), (400.0, "limit 400 ms"), (500.0, "TT2 500 ms")] {
        panel.mark(limit_ms * 1e6, name, BAD, (1.0, "6 4"));
    }
    panel.rule(0.95, "95 % coverage", BAD, "2 3");
    panel.steps(along(30).map(|it| (50e6 + 6e8 * it * it, 0.97 * it)), DATA, (2.0, ""));
    Chart::new("share of messages within a latency").with_panel(panel)
}

fn percentiles() -> Chart {
    let latency = Axis::linear(0.0, 300e6, Figures::Nanoseconds).named("latency");
    let mut panel = Panel::new(Axis::percentiles(0.9995).named("percentile"), latency, 170.0);
    let shares = || along(90).map(|it| 1.0 - 10_f64.powf(-3.3 * it));
    let delay = |share: f64| 90e6 - 20e6 * (1.0 - share).ln();
    let edges: Vec<_> = shares().map(|it| (it, delay(it), 1.1 * delay(it))).collect();
    panel.band(&edges, DATA, 0.2);
    panel.line(shares().map(|it| (it, delay(it))), DATA, 2.0);
    panel.limit(100e6, "TT3 100 ms", false);
    panel.mark(0.999, "lost from here on", BAD, (1.6, ""));
    Chart::new("latency over percentile").with_panel(panel)
}

fn quartiles() -> Chart {
    let latency = Axis::broken(40e6, 170e6, 2e9, Figures::Nanoseconds);
    let mut panel = Panel::new(latency.named("latency"), Axis::bare(), 100.0);
    panel.note("4 outliers of 900, longest 1.8 s", INK);
    let numbers = [51e6, 57e6, 91e6, 96e6, 154e6];
    for value in numbers {
        panel.mark(value, format!("{} ms", value / 1e6), INK, (0.5, "1 3"));
    }
    panel.dots([0.2, 0.3, 0.7, 1.8].map(|s| (s * 1e9, 0.5)), DATA, (3.0, 0.6));
    panel.quartiles(numbers, DATA);
    Chart::new("box plot of the latency").with_panel(panel)
}

fn bars() -> Chart {
    let flat = Axis::linear(0.0, 100e6, Figures::Nanoseconds);
    let mut panel = Panel::new(flat, Axis::bare(), 32.0);
    panel.note("p50: whole way 91 ms", INK);
    let mut chart = Chart::new("time by part of the way");
    for (place, (name, from, to)) in
        [("sender lag", 0.0, 2.0), ("up leg", 2.0, 80.0), ("broker and store", 80.0, 90.0)]
            .into_iter()
            .enumerate()
    {
        chart = chart.with_key(Colour::of_part(place), name);
        let (from, to) = ((from * 1e6, 0.1), (to * 1e6, 0.9));
        panel.block(block(from, to, Colour::of_part(place), name, String::new()));
    }
    panel.mark(91e6, "", INK, (2.0, ""));
    chart.with_panel(panel)
}

fn block(from: (f64, f64), to: (f64, f64), colour: Colour, hint: &str, text: String) -> Block {
    Block { from, to, colour, opacity: 0.6, hint: hint.to_owned(), text }
}

fn heat_map() -> Chart {
    let (x, y) = (Axis::categories(["0.1 Ib", "Ib", "Imax"]), Axis::categories(["L3", "L2", "L1"]));
    let mut panel = Panel::new(x.named("current"), y.named("loaded"), 80.0);
    for field in 0..9 {
        let (x, y) = (f64::from(field % 3), f64::from(field / 3));
        let text = format!("{}", 0.01 * x - 0.02 * y);
        panel.block(block((x, y), (x + 1.0, y + 1.0), DATA, "0.01 ± 0.02 %", text));
    }
    Chart::new("error in %").with_key(DATA, "positive").with_panel(panel)
}

fn turned_names() -> Chart {
    let names = (1..=12).map(|place| format!("household {place}"));
    let energy = Axis::linear(0.0, 20.0, Figures::Plain).named("energy in kWh");
    let mut panel = Panel::new(Axis::categories(names), energy, 120.0);
    for place in 0..12 {
        let x = f64::from(place);
        panel.block(block((x + 0.1, 0.0), (x + 0.9, 5.0 + x), SECOND, "", String::new()));
    }
    Chart::new("energy of households").with_panel(panel)
}

fn two_axes() -> Chart {
    let voltage = Axis::linear(-400.0, 400.0, Figures::Plain).named("voltage in V");
    let current = Axis::linear(-40.0, 40.0, Figures::Plain).named("current in A");
    let time = Axis::linear(0.0, 60e6, Figures::Nanoseconds);
    let mut panel = Panel::new(time, voltage, 150.0).with_second(current);
    panel.line(along(120).map(|it| (60e6 * it, 325.0 * (TAU * 3.0 * it).sin())), DATA, 2.0);
    let lagging = along(120).map(|it| (60e6 * it, 210.0 * (TAU * 3.0 * it - 0.5).sin()));
    panel.dashed(lagging, INJECTED, (1.6, "6 4"));
    Chart::new("inputs of a transducer")
        .with_key(DATA, "voltage")
        .with_dashed_key(INJECTED, "current", "6 4")
        .with_panel(panel)
}

fn time_and_current() -> Chart {
    let current = Axis::logarithmic(100.0, 1e5, Figures::Prefixed("A")).named("RMS current");
    let time = Axis::logarithmic(1e-3, 1e3, Figures::Plain).named("time in s");
    let mut panel = Panel::new(current, time, 270.0);
    panel.line(along(40).map(|it| (250.0 * 40_f64.powf(it), 100.0 * 1e-5_f64.powf(it))), DATA, 1.3);
    for (place, at) in [(1_252.0, 0.03), (1_260.0, 0.031), (1_300.0, 0.028)].iter().enumerate() {
        panel.dots([*at], DATA, (8.0, 1.0));
        panel.label(*at, format!("F{place}: 1.25 kA, 32 ms"), DATA);
    }
    Chart::new("time and current of protective devices")
        .with_key(DATA, "fuse-link:F1, whose name is so long that it takes more than one line")
        .with_panel(panel)
}

fn errors() -> Chart {
    let current = Axis::logarithmic_around(0.05, 100.0, Figures::Prefixed("A"));
    let error = Axis::symmetric([1.5], Figures::Plain).named("error in %");
    let mut panel = Panel::new(current.named("current, log scale"), error, 200.0);
    panel.rule(0.0, "", INK, "");
    for sign in [-1.0, 1.0] {
        let limits = [(0.05, 1.5), (0.5, 1.0), (100.0, 1.0)];
        panel.steps(limits.map(|(at, limit)| (at, sign * limit)), DATA, (1.2, "5 4"));
    }
    panel.errors(&[(0.05, 0.4, 0.3), (0.5, 0.1, 0.1), (10.0, -0.2, 0.1), (100.0, 0.1, 0.1)], DATA);
    Chart::new("error against current").with_key(DATA, "PF 1").with_panel(panel)
}
