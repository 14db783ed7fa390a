//! Distributions that values are drawn from, as a scenario writes them: `normal(0 %, 0.3 %)`.
//!
//! | written | drawn |
//! |---|---|
//! | `normal(MEAN, DEVIATION)` | normal, with its standard deviation |
//! | `truncated(MEAN, DEVIATION, FROM, TO)` | the same, again until it lies between the bounds |
//! | `uniform(FROM, TO)` | each value between the bounds alike |
//! | `triangular(FROM, MODE, TO)` | most often near the mode, never beyond the bounds |
//! | `table(VALUE: WEIGHT, ...)` | one of the values, as often as its weight states |
//!
//! All numbers of one but weights have the same unit, or none.

use rand::Rng;
use rand_distr::weighted::WeightedIndex;
use rand_distr::{Distribution as _, Normal, Triangular, Uniform};

/// How much of a normal distribution has to lie between the bounds, so that a draw ends.
const WITHIN_MIN: f64 = 1e-3;
/// Values of a table at most.
const TABLE_MAX: usize = 1000;

/// The words that distributions begin with, each with what stands in its parentheses.
const WORDS: [(&str, &str); 5] = [
    ("normal", "MEAN, DEVIATION"),
    ("truncated", "MEAN, DEVIATION, FROM, TO"),
    ("uniform", "FROM, TO"),
    ("triangular", "FROM, MODE, TO"),
    ("table", "VALUE: WEIGHT, ..."),
];

/// A distribution of a value with its unit.
#[derive(Clone, Debug)]
pub struct Distribution {
    shape: Shape,
    unit: String,
}

#[derive(Clone, Debug)]
enum Shape {
    Normal(Normal<f64>),
    Truncated(Normal<f64>, (f64, f64)),
    Uniform(Uniform<f64>),
    Triangular(Triangular<f64>),
    Table(Vec<f64>, WeightedIndex<f64>),
}

/// A number with the unit behind it; `None` if the text does not begin with a number.
pub(crate) fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let is_number = |end: &usize| {
        let number = text.get(..*end).filter(|it| it.ends_with(|c: char| c.is_ascii_digit()));
        number.is_some_and(|it| it.parse::<f64>().is_ok())
    };
    let end = (1..=text.len()).rev().find(is_number)?;
    let number = text[..end].parse().ok().filter(|it: &f64| it.is_finite())?;
    Some((number, text[end..].trim()))
}

/// A number with its unit, as it is written in a scenario.
pub(crate) fn with_unit(number: f64, unit: &str) -> String {
    if unit.is_empty() { number.to_string() } else { format!("{number} {unit}") }
}

impl Distribution {
    /// Whether a text is to be read as one: whether it begins with one of their words.
    pub fn is_meant(text: &str) -> bool {
        let text = text.trim_start();
        WORDS.iter().any(|(word, _)| {
            text.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('('))
        })
    }

    /// Reads one. The error states what was found and what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (word, inner) = text
            .strip_suffix(')')
            .and_then(|text| text.split_once('('))
            .ok_or_else(|| format!("`{text}` is no distribution; expected {}", forms()))?;
        let word = word.trim();
        let Some((_, form)) = WORDS.iter().find(|(known, _)| *known == word) else {
            return Err(format!("`{word}` is no distribution; expected {}", forms()));
        };
        let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        if word == "table" {
            return table(&parts);
        }
        let (numbers, unit) = numbers(&parts)?;
        let shape = match (word, numbers.as_slice()) {
            ("normal", &[mean, deviation]) => Shape::Normal(normal(mean, deviation)?),
            ("truncated", &[mean, deviation, from, to]) => {
                let below =
                    |at: f64| 0.5 * libm::erfc((mean - at) / deviation / std::f64::consts::SQRT_2);
                let normal = normal(mean, deviation)?;
                let is_enough = from < to && below(to) - below(from) >= WITHIN_MIN;
                if !is_enough {
                    return Err(format!(
                        "hardly anything of normal({mean}, {deviation}) lies between {from} and {to}"
                    ));
                }
                Shape::Truncated(normal, (from, to))
            }
            ("uniform", &[from, to]) => Uniform::new(from, to)
                .map(Shape::Uniform)
                .map_err(|_| format!("expected bounds in their order, found {from} and {to}"))?,
            ("triangular", &[from, mode, to]) => {
                Triangular::new(from, to, mode).map(Shape::Triangular).map_err(|_| {
                    format!("expected {from} to be at most {mode}, and that at most {to}")
                })?
            }
            _ => {
                return Err(format!("expected `{word}({form})`, found {} numbers", numbers.len()));
            }
        };
        Ok(Self { shape, unit })
    }

    /// One value, without its unit.
    pub fn draw(&self, random: &mut impl Rng) -> f64 {
        match &self.shape {
            Shape::Normal(normal) => normal.sample(random),
            Shape::Truncated(normal, (from, to)) => loop {
                let value = normal.sample(random);
                if (*from..=*to).contains(&value) {
                    break value;
                }
            },
            Shape::Uniform(uniform) => uniform.sample(random),
            Shape::Triangular(triangular) => triangular.sample(random),
            Shape::Table(values, weights) => values[weights.sample(random)],
        }
    }

    /// One value with its unit, as a scenario writes it.
    pub fn drawn(&self, random: &mut impl Rng) -> String {
        with_unit(self.draw(random), &self.unit)
    }
}

/// All forms, for a sentence.
fn forms() -> String {
    WORDS.map(|(word, form)| format!("`{word}({form})`")).join(", ")
}

fn normal(mean: f64, deviation: f64) -> Result<Normal<f64>, String> {
    let is_one = deviation > 0.0;
    let normal = Normal::new(mean, deviation).ok().filter(|_| is_one);
    normal.ok_or_else(|| format!("expected a deviation above 0, found {deviation}"))
}

/// Numbers of one unit, which some may leave out where they are 0.
fn numbers(parts: &[&str]) -> Result<(Vec<f64>, String), String> {
    let mut unit: Option<&str> = None;
    let mut numbers = Vec::new();
    for part in parts {
        let (number, own) = number_and_unit(part)
            .ok_or_else(|| format!("expected a number with its unit, found `{part}`"))?;
        match unit {
            Some(unit) if unit != own => {
                return Err(format!("expected one unit, found `{unit}` and `{own}`"));
            }
            _ => unit = Some(own),
        }
        numbers.push(number);
    }
    Ok((numbers, unit.unwrap_or_default().to_owned()))
}

fn table(parts: &[&str]) -> Result<Distribution, String> {
    if parts.len() > TABLE_MAX {
        return Err(format!("expected at most {TABLE_MAX} values, found {}", parts.len()));
    }
    let pairs: Option<Vec<(&str, &str)>> = parts.iter().map(|part| part.rsplit_once(':')).collect();
    let pairs = pairs.ok_or("expected `VALUE: WEIGHT` of each, as in `table(0 %: 9, 5 %: 1)`")?;
    let (values, weights): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
    let (values, unit) = numbers(&values)?;
    let weight = |text: &&str| {
        let weight = text.trim().parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0);
        weight.ok_or_else(|| format!("expected a weight of 0 or more, found `{}`", text.trim()))
    };
    let weights: Vec<f64> = weights.iter().map(weight).collect::<Result<_, _>>()?;
    let weights =
        WeightedIndex::new(weights).map_err(|_| "expected a weight above 0".to_owned())?;
    Ok(Distribution { shape: Shape::Table(values, weights), unit })
}

#[cfg(test)]
mod tests {
    use lastmeter_sim::Streams;

    use super::*;

    const DRAWS: usize = 20_000;
    /// What the Kolmogorov-Smirnov distance times the root of the number of draws exceeds once in a
    /// thousand times, for continuous distributions (Smirnov 1948).
    const KS_AT_ONE_IN_A_THOUSAND: f64 = 1.9495;

    fn draws(text: &str) -> Vec<f64> {
        let of = Distribution::read(text).unwrap_or_else(|error| panic!("{error}"));
        let mut random = Streams::new(7).stream("test");
        (0..DRAWS).map(|_| of.draw(&mut random)).collect()
    }

    fn below(at: f64) -> f64 {
        0.5 * libm::erfc(-at / std::f64::consts::SQRT_2)
    }

    /// The greatest distance of the draws' distribution from one, times the root of their number.
    fn distance(mut draws: Vec<f64>, below: impl Fn(f64) -> f64) -> f64 {
        draws.sort_by(f64::total_cmp);
        let count = draws.len() as f64;
        let away = |(place, at): (usize, &f64)| {
            let expected = below(*at);
            (expected - place as f64 / count)
                .abs()
                .max(((place + 1) as f64 / count - expected).abs())
        };
        draws.iter().enumerate().map(away).fold(0.0, f64::max) * count.sqrt()
    }

    #[test]
    fn draws_are_those_of_their_distribution_and_wrong_ones_are_found() {
        let normal = |at: f64| below((at - 2.0) / 0.5);
        let uniform = |at: f64| ((at - 1.0) / 2.0).clamp(0.0, 1.0);
        let triangular = |at: f64| match at {
            at if at <= 0.0 => 0.0,
            at if at <= 1.0 => at * at / 4.0,
            at if at <= 4.0 => 1.0 - (4.0 - at) * (4.0 - at) / 12.0,
            _ => 1.0,
        };
        let truncated = |at: f64| {
            let (from, to) = (below(-1.0), below(2.0));
            ((below((at - 2.0) / 0.5) - from) / (to - from)).clamp(0.0, 1.0)
        };
        let of = |text: &str, below: &dyn Fn(f64) -> f64| distance(draws(text), below);
        for (text, below) in [
            ("normal(2 %, 0.5 %)", &normal as &dyn Fn(f64) -> f64),
            ("uniform(1 V, 3 V)", &uniform),
            ("triangular(0, 1, 4)", &triangular),
            ("truncated(2, 0.5, 1.5, 3)", &truncated),
        ] {
            let found = of(text, below);
            assert!(found < KS_AT_ONE_IN_A_THOUSAND, "{text}: {found}");
        }
        for (text, below) in [
            ("uniform(1.134, 2.866)", &normal as &dyn Fn(f64) -> f64), // of the same deviation
            ("normal(2, 0.6)", &normal),
            ("normal(2, 0.5)", &truncated),
            ("triangular(1, 2, 3)", &uniform),
            ("triangular(0, 1.3, 4)", &triangular),
        ] {
            let found = of(text, below);
            assert!(found > KS_AT_ONE_IN_A_THOUSAND, "{text}: {found}");
        }
    }

    /// Pearson's statistic of the counts of three values; beyond 13.82 once in a thousand times.
    #[test]
    fn a_table_is_drawn_by_its_weights() {
        let statistic = |text: &str| {
            let draws = draws(text);
            let weights = [(0.0, 0.7), (5.0, 0.2), (-1.0, 0.1)];
            let part = |(value, weight): &(f64, f64)| {
                let count = draws.iter().filter(|draw| *draw == value).count() as f64;
                let expected = weight * DRAWS as f64;
                (count - expected).powi(2) / expected
            };
            weights.iter().map(part).sum::<f64>()
        };
        assert!(statistic("table(0 %: 7, 5 %: 2, -1 %: 1, 9 %: 0)") < 13.82);
        assert!(statistic("table(0 %: 7, 5 %: 2.2, -1 %: 1)") > 13.82);
    }

    #[test]
    fn a_seed_draws_the_same_on_every_machine() {
        let mut random = Streams::new(2027).stream("golden");
        let texts = [
            "normal(0 %, 0.3 %)",
            "truncated(0 %, 0.3 %, -0.2 %, 0.2 %)",
            "uniform(207 V, 253 V)",
            "triangular(1 h, 2 h, 4 h)",
            "table(1 A: 1, 2 A: 1, 3 A: 1)",
        ];
        let drawn = texts.map(|text| Distribution::read(text).unwrap().drawn(&mut random));
        assert_eq!(drawn, GOLDEN);
    }

    const GOLDEN: [&str; 5] = [
        "0.18902021548204492 %",
        "-0.11555694093997543 %",
        "248.59143579915744 V",
        "2.166394222125376 h",
        "1 A",
    ];

    #[test]
    fn what_is_no_distribution_is_refused_with_what_is_one() {
        for (text, expected) in [
            ("normal", "`normal` is no distribution; expected `normal(MEAN, DEVIATION)`"),
            ("lognormal(1, 2)", "`lognormal` is no distribution"),
            ("normal(1 %, 2 V)", "expected one unit, found `%` and `V`"),
            ("normal(x, 2)", "expected a number with its unit, found `x`"),
            ("normal(1, 0)", "expected a deviation above 0, found 0"),
            ("normal(1, -1)", "expected a deviation above 0, found -1"),
            ("normal(1e400, 1)", "expected a number"),
            ("uniform(3, 1)", "expected bounds in their order, found 3 and 1"),
            ("uniform(1, 2, 3)", "expected `uniform(FROM, TO)`, found 3 numbers"),
            ("triangular(0, 5, 4)", "expected 0 to be at most 5, and that at most 4"),
            ("truncated(0, 1, 8, 9)", "hardly anything of normal(0, 1) lies between 8 and 9"),
            ("truncated(0, 1, 1, -1)", "hardly anything"),
            ("table(1, 2)", "expected `VALUE: WEIGHT` of each"),
            ("table(1: 0)", "expected a weight above 0"),
            ("table(1: -1)", "expected a weight of 0 or more, found `-1`"),
        ] {
            let error = Distribution::read(text).expect_err(text);
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert!(Distribution::is_meant("normal (1, 2)") && !Distribution::is_meant("normal"));
    }
}
