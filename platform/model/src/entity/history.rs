//! What held at an instant, by versions and intervals of several documents.

use std::collections::BTreeSet;

use lastmeter_units::{HardwareId, SimTime};

use super::assignment::Assignment;
use super::body::Token;
use super::boundary::Location;
use super::device::Device;
use super::place::Site;
use crate::access::{PrincipalRef, Span, Tenure};

/// Who owned a device when, for all of time: in the assignments' intervals who `owner_of` finds
/// behind them, else `otherwise`, the owner of its field network.
pub fn tenures<K>(
    assignments: &[(K, Assignment)],
    device: &HardwareId,
    owner_of: impl Fn(&Assignment) -> Option<PrincipalRef>,
    otherwise: Option<&PrincipalRef>,
) -> Vec<Tenure> {
    let own = assignments.iter().map(|(_, one)| one);
    let mut own: Vec<_> = own.filter(|one| one.device_hardware_id == *device).collect();
    own.sort_by_key(|one| one.active_date);
    let (mut found, mut from) = (Vec::new(), Span::ALWAYS.from);
    let mut add = |owner, from, until| {
        if from < until {
            found.push(Tenure { owner, span: Span { from, until } });
        }
        until.max(from)
    };
    for one in own {
        let span = one.span();
        from = add(otherwise.cloned(), from, span.from);
        from = add(owner_of(one), from, span.until);
    }
    add(otherwise.cloned(), from, Span::ALWAYS.until);
    found
}

/// The version that held at an instant, of versions in order with when each was made.
pub fn version_at<T>(versions: &[(SimTime, T)], at: SimTime) -> Option<&T> {
    let held = versions.partition_point(|(made, _)| *made <= at);
    versions[..held].last().map(|(_, version)| version)
}

/// Where a device was at an instant: its own position, else that of the site that it was at.
pub fn position_at<'a>(
    device: &[(SimTime, Device)],
    site: impl Fn(&Token) -> Option<&'a [(SimTime, Site)]>,
    at: SimTime,
) -> Option<Location> {
    let device = version_at(device, at)?;
    let of_site = || version_at(site(device.site_token.as_ref()?)?, at)?.location.clone();
    device.location.clone().or_else(of_site)
}

/// Whether something comes back to itself by what `next` gives: its parent, or the groups in it.
pub fn is_in_cycle<K: Ord + Clone, I: IntoIterator<Item = K>>(
    start: &K,
    next: impl Fn(&K) -> I,
) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![start.clone()]);
    while let Some(one) = open.pop() {
        for other in next(&one) {
            if other == *start {
                return true;
            }
            if seen.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    false
}
