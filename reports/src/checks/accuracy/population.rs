//! How the errors of many devices are spread: a histogram against the limit, the odd ones by name.
//!
//! A device counts once, by the mean error of that of its judged series that is farthest off. *Odd*
//! is one that is farther from the median than six times the median of these distances (scaled to
//! the standard deviation of a normal distribution), or outside of the limit.

use lastmeter_chart::{Axis, BAD, Block, Chart, DATA, Figures, Panel};
use lastmeter_text::{append, plural};

use crate::error_limit::Limit;
use crate::render::collect::Judged;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::units::DisplayUnit;

/// Fewer devices are no population.
const DEVICES_MIN: usize = 10;
/// Bars of a histogram.
const BARS: usize = 25;
/// So many odd ones are named.
const NAMED_MAX: usize = 8;
/// Times the scaled median deviation beyond which a device is odd.
const ODD_FROM: f64 = 6.0;
/// What makes a median deviation of a normal distribution its standard deviation.
const OF_NORMAL: f64 = 1.482_602_218_505_602;

/// A device with its error, in the unit of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MemberError<'a> {
    pub(super) device: &'a str,
    pub(super) error: f64,
    /// Whether one of its values was outside of the limit.
    pub(super) is_outside: bool,
}

/// The picture of a check's devices; `None` if they are few, or all alike.
pub(super) fn histogram(
    check: &Judged<'_>,
    members: &[MemberError<'_>],
    figures: &mut Vec<Figure>,
) -> Option<Picture> {
    let members: Vec<MemberError<'_>> =
        members.iter().filter(|it| it.error.is_finite()).copied().collect();
    let (low, high) = ends(&members)?;
    if members.len() < DEVICES_MIN || low == high {
        return None;
    }
    let odd = odd(&members);
    let limit = check.spec.limit;
    let shown = DisplayUnit::of_errors(limit, low.abs().max(high.abs()));
    let value = limit.value();
    let reach = 1.05 * low.abs().max(high.abs());
    // The limit is shown unless the devices would be one bar beside it.
    let shows_limit = value.is_finite() && value <= 8.0 * reach;
    let reach = if shows_limit { reach.max(1.1 * value) } else { reach };
    let width = 2.0 * reach / BARS as f64;
    let bar_of = |error: f64| (((error + reach) / width) as usize).min(BARS - 1);
    let mut counts = [(0_usize, 0_usize); BARS];
    for member in &members {
        let bar = &mut counts[bar_of(member.error)];
        bar.0 += 1;
        bar.1 += usize::from(odd.contains(&member.device));
    }
    let most = counts.iter().map(|(all, _)| *all).max().unwrap_or(0) as f64;
    let x = Axis::linear(-shown.figure(reach), shown.figure(reach), Figures::Plain);
    let y = Axis::linear(0.0, 1.1 * most, Figures::Plain).named("devices");
    let mut panel = Panel::new(x.named(shown.label("mean error")), y, 150.0);
    let mut csv = Csv::new("from,to,devices,odd");
    for (bar, (all, odd)) in counts.iter().enumerate() {
        let from = width.mul_add(bar as f64, -reach);
        csv.line(&[], &[from, from + width, *all as f64, *odd as f64]);
        for (from_count, to_count, is_odd) in [(0, all - odd, false), (all - odd, *all, true)] {
            if from_count == to_count {
                continue;
            }
            panel.block(Block {
                from: (shown.figure(from), from_count as f64),
                to: (shown.figure(from + width), to_count as f64),
                colour: if is_odd { BAD } else { DATA },
                opacity: 0.75,
                hint: plural(to_count - from_count, "device"),
                text: String::new(),
            });
        }
    }
    if shows_limit {
        for at in [-value, value] {
            panel.mark(shown.figure(at), "", BAD, (1.0, "6 4"));
        }
    }
    let title = format!("{}: spread of the devices", check.name);
    let mut chart = Chart::new(title.clone()).with_key(DATA, "devices");
    if !odd.is_empty() {
        chart = chart.with_key(BAD, "odd ones");
    }
    let caption = caption(&members, &odd, (limit, shows_limit));
    let name = format!("population-{}", check.name);
    let figure = Figure::drawn(name, chart.with_panel(panel).svg(), csv.finish());
    Some(Picture::of(figure, title, caption, figures))
}

fn caption(
    members: &[MemberError<'_>],
    odd: &[&str],
    (limit, shows_limit): (Limit, bool),
) -> String {
    let mut text = format!("mean error of each of {}", plural(members.len(), "device"));
    if limit.value().is_finite() {
        let value = DisplayUnit::of_errors(limit, limit.value()).with_symbol(limit.value());
        let place = if shows_limit { "dashed" } else { "outside of the picture" };
        append(&mut text, format_args!("; limit ±{value}, {place}"));
    }
    if !odd.is_empty() {
        let named = odd[..odd.len().min(NAMED_MAX)].join(", ");
        append(&mut text, format_args!("; odd: {named}"));
        if odd.len() > NAMED_MAX {
            append(&mut text, format_args!(" and {} more", odd.len() - NAMED_MAX));
        }
    }
    text
}

fn ends(members: &[MemberError<'_>]) -> Option<(f64, f64)> {
    let errors = || members.iter().map(|member| member.error);
    Some((errors().reduce(f64::min)?, errors().reduce(f64::max)?))
}

/// The devices that are odd, the farthest first.
fn odd<'a>(members: &[MemberError<'a>]) -> Vec<&'a str> {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 {
            values[middle]
        } else {
            values[middle - 1].midpoint(values[middle])
        }
    };
    let centre = median(members.iter().map(|it| it.error).collect());
    let away = |member: &MemberError<'_>| (member.error - centre).abs();
    let deviation = OF_NORMAL * median(members.iter().map(away).collect());
    let is_odd = |it: &&MemberError<'_>| it.is_outside || away(it) > ODD_FROM * deviation;
    let mut odd: Vec<&MemberError<'a>> = members.iter().filter(is_odd).collect();
    odd.sort_by(|a, b| away(b).total_cmp(&away(a)).then(a.device.cmp(b.device)));
    odd.into_iter().map(|member| member.device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(errors: &[(&'static str, f64)]) -> Vec<MemberError<'static>> {
        let member = |&(device, error): &(&'static str, f64)| MemberError {
            device,
            error,
            is_outside: error.abs() > 2.0,
        };
        errors.iter().map(member).collect()
    }

    #[test]
    fn odd_are_those_far_from_all_others_and_those_outside() {
        let alike = [("a", 0.1), ("b", 0.2), ("c", 0.3), ("d", 0.2), ("e", 0.15), ("f", 0.25)];
        assert_eq!(odd(&members(&alike)), [""; 0]);
        // The median is 0.2 and the median deviation 0.05: six times 0.074 are 0.44.
        let with = |more: &[(&'static str, f64)]| {
            let all: Vec<_> = alike.iter().chain(more).copied().collect();
            odd(&members(&all)).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(with(&[("x", 0.55)]), [""; 0]);
        assert_eq!(with(&[("x", 0.9), ("y", -2.5)]), ["y", "x"]);
    }
}
