//! Points in boundaries, against the winding number.

use std::f64::consts::TAU;

use proptest::prelude::*;

use crate::entity::{BoundingBox, Location, is_inside};

fn at(longitude: f64, latitude: f64) -> Location {
    Location { latitude, longitude, elevation: None }
}

/// How often a boundary goes around a point, by the sum of the angles under which its edges are
/// seen; `None` if the point is too near to an edge.
fn winding_number(boundary: &[Location], point: &Location) -> Option<i64> {
    let from =
        |corner: &Location| (corner.longitude - point.longitude, corner.latitude - point.latitude);
    let mut sum = 0.0;
    for (one, other) in boundary.iter().zip(boundary.iter().cycle().skip(1)) {
        let ((a, b), (c, d)) = (from(one), from(other));
        let (cross, dot) = (a * d - b * c, a * c + b * d);
        if cross.abs() < 1e-6 && dot <= 1e-6 {
            return None;
        }
        sum += cross.atan2(dot);
    }
    Some((sum / TAU).round() as i64)
}

fn places() -> impl Strategy<Value = Location> {
    // Corners and points often share a latitude: rays through corners.
    let grid = (-6..=6_i32, -6..=6_i32).prop_map(|(x, y)| at(f64::from(x), f64::from(y)));
    prop_oneof![grid, (-6.0..6.0, -6.0..6.0).prop_map(|(x, y)| at(x, y))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_point_is_inside_where_the_winding_number_is_odd(
        boundary in prop::collection::vec(places(), 3..12),
        points in prop::collection::vec(places(), 20),
    ) {
        for point in &points {
            if let Some(turns) = winding_number(&boundary, point) {
                prop_assert_eq!(is_inside(&boundary, point), turns % 2 != 0, "{:?}", point);
            }
        }
    }

    #[test]
    fn a_point_on_the_edge_of_two_is_inside_one(y in -0.99..0.99, slope in -2.0..2.0) {
        let (north, south) = (at(slope, 1.0), at(-slope, -1.0));
        let west = [at(-9.0, 1.0), north.clone(), south.clone(), at(-9.0, -1.0)];
        let east = [at(9.0, 1.0), north, south, at(9.0, -1.0)];
        let point = at(slope * y, y);
        prop_assert!(is_inside(&west, &point) != is_inside(&east, &point));
    }

    #[test]
    fn a_box_is_four_comparisons(
        west in -180.0..180.0, east in -180.0..180.0, south in -90.0..90.0, north in -90.0..90.0,
        x in -180.0..180.0, y in -90.0..90.0,
    ) {
        let bounds = BoundingBox { west, south, east, north };
        // By the way east from the western edge.
        let way = |to: f64| (to - west).rem_euclid(360.0);
        let expected = way(x) <= way(east) && south <= y && y <= north;
        prop_assert_eq!(bounds.contains(&at(x, y)), expected);
    }
}

#[test]
fn a_boundary_with_a_bay() {
    let boundary = [at(0.0, 0.0), at(4.0, 0.0), at(4.0, 4.0), at(2.0, 1.0), at(0.0, 4.0)];
    for (point, expected) in [
        (at(2.0, 0.5), true),
        (at(2.0, 2.0), false),
        (at(0.5, 2.0), true),
        (at(3.5, 2.0), true),
        (at(-1.0, 2.0), false),
        (at(9.0, 0.0), false),
    ] {
        assert_eq!(is_inside(&boundary, &point), expected, "{point:?}");
    }
    assert!(!is_inside(&[], &at(0.0, 0.0)));
}
