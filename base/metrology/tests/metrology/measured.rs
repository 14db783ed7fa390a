//! A measured recording against an independent least-squares computation on the same samples.
//!
//! The reference here shares nothing with the package: sines at all multiples of a frequency are
//! fitted to the samples by dense linear algebra, the frequency by minimising what is left.

use lastmeter_metrology::{AnalysisInput, analyse};
use nalgebra::{DMatrix, DVector};

const RATE_HZ: f64 = 50_000.0;
const CYCLES: f64 = 9.0;

/// Six columns of the recording; `None` (with a word about it) where there is none.
#[expect(clippy::print_stdout, reason = "a skipped test is reported")]
fn recording() -> Option<Vec<Vec<f64>>> {
    let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|tier| tier == "all" || tier == "data");
    let read = std::env::var("LASTMETER_RECORDINGS")
        .map_err(|_| "LASTMETER_RECORDINGS is not set".to_owned())
        .and_then(|folder| {
            let file = format!("{folder}/mhkit-3ph-50k/2020224_181521_PowRaw.csv");
            std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))
        });
    match read {
        Ok(text) => Some(columns(&text)),
        Err(reason) => {
            assert!(!required, "required recording is missing: {reason}");
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// The columns after the time.
fn columns(text: &str) -> Vec<Vec<f64>> {
    let mut columns = vec![Vec::new(); 6];
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        for (column, field) in columns.iter_mut().zip(line.split(',').skip(1)) {
            column.push(field.trim().parse().expect("a number"));
        }
    }
    columns
}

/// Sines and cosines at `orders` multiples of `f` and a constant, over `count` samples.
fn design(f: f64, orders: usize, count: usize) -> DMatrix<f64> {
    DMatrix::from_fn(count, 2 * orders + 1, |row, column| {
        let angle = std::f64::consts::TAU * f * row as f64 / RATE_HZ;
        let order = column.div_ceil(2) as f64;
        match column {
            0 => 1.0,
            odd if odd % 2 == 1 => (order * angle).cos(),
            _ => (order * angle).sin(),
        }
    })
}

/// Least-squares coefficients by the normal equations (well conditioned: nearly orthogonal).
fn fit(design: &DMatrix<f64>, samples: &[f64]) -> DVector<f64> {
    let x = DVector::from_column_slice(samples);
    let normal = design.transpose() * design;
    normal.cholesky().expect("independent columns").solve(&(design.transpose() * x))
}

/// What is left of the samples after a fit of a few sines.
fn residual(f: f64, samples: &[f64]) -> f64 {
    let design = design(f, 7, samples.len());
    let left = DVector::from_column_slice(samples) - &design * fit(&design, samples);
    left.norm_squared()
}

/// The frequency with the smallest residual, by ever finer steps.
fn frequency(samples: &[f64]) -> f64 {
    let mut best = 60.0;
    for step in [0.1, 0.02, 0.004, 0.0008, 0.00016] {
        best = (-5..=5)
            .map(|k| best + step * f64::from(k))
            .min_by(|a, b| residual(*a, samples).total_cmp(&residual(*b, samples)))
            .expect("a candidate");
    }
    best
}

/// RMS of each order from 1, out of cosine and sine coefficients.
fn orders(coefficients: &DVector<f64>) -> Vec<f64> {
    (1..coefficients.len())
        .step_by(2)
        .map(|k| (coefficients[k].powi(2) + coefficients[k + 1].powi(2)).sqrt() / 2f64.sqrt())
        .collect()
}

fn thd_pct(orders: &[f64]) -> f64 {
    100.0 * orders[1..].iter().map(|x| x * x).sum::<f64>().sqrt() / orders[0]
}

/// Mean of a product over a broken number of samples, the last one counted in part.
fn mean_product(x: &[f64], y: &[f64], length: f64) -> f64 {
    let whole = length.floor() as usize;
    let sum: f64 = (0..whole).map(|k| x[k] * y[k]).sum();
    (sum + (length - length.floor()) * x[whole] * y[whole]) / length
}

#[test]
fn a_measured_generator_agrees_with_least_squares() {
    let Some(channels) = recording() else { return };
    let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let input = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: None,
        names: &names,
        voltages: &channels[..3],
        currents: &channels[3..],
    };
    let analysis = analyse(&input).expect("a good recording");
    assert_eq!(analysis.basis, "9 cycles");

    let guess = frequency(&channels[0][..(CYCLES * RATE_HZ / 60.0) as usize]);
    let length = CYCLES * RATE_HZ / guess;
    let count = length.round() as usize;
    let f = frequency(&channels[0][..count]);
    assert!((analysis.frequency_hz - f).abs() < 5e-3, "{} {f}", analysis.frequency_hz);

    let design = design(f, 50, count);
    for (p, phase) in analysis.phases.iter().enumerate() {
        let (u, i) = (&channels[p], &channels[p + 3]);
        let within = |found: Option<f64>, expected: f64, part: f64| {
            let found = found.expect("a value");
            assert!((found - expected).abs() < part * expected.abs(), "{found} {expected}");
        };
        within(phase.values.u_rms_v, mean_product(u, u, length).sqrt(), 5e-4);
        within(phase.values.i_rms_a, mean_product(i, i, length).sqrt(), 5e-4);
        within(phase.values.p_w, mean_product(u, i, length), 5e-4);
        let (fit_u, fit_i) = (fit(&design, &u[..count]), fit(&design, &i[..count]));
        // The power of the fitted sines: half the products of equal coefficients.
        let fitted: f64 = (1..fit_u.len()).map(|k| 0.5 * fit_u[k] * fit_i[k]).sum();
        within(phase.values.p_w, fitted + fit_u[0] * fit_i[0], 5e-4);
        assert!(fitted < 0.0, "the generator exports");
        for (found, coefficients) in
            [(phase.values.thd_u_harm_pct, fit_u), (phase.values.thd_i_harm_pct, fit_i)]
        {
            let (found, expected) = (found.expect("a value"), thd_pct(&orders(&coefficients)));
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
    }
}
