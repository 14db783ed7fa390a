//! Positions on the map, and whether they lie within a boundary. Edges are straight in degrees of
//! longitude and latitude; a boundary does not cross the antimeridian, a bounding box may.

use serde::{Deserialize, Deserializer, Serialize};

use super::body::{Fault, bodies, ensure, within};

bodies! {
    /// A position (WGS 84).
    struct Location {
        /// Degrees north.
        #[serde(deserialize_with = "degrees::<_, 90>")]
        latitude: f64,
        /// Degrees east.
        #[serde(deserialize_with = "degrees::<_, 180>")]
        longitude: f64,
        /// Metres above sea level.
        #[serde(default, deserialize_with = "within::<_, -12_000, 100_000>")]
        elevation: Option<f64>,
    }

    /// What lies between two meridians and two parallels, edges included.
    struct BoundingBox {
        /// The western edge, degrees east.
        #[serde(deserialize_with = "degrees::<_, 180>")]
        west: f64,
        /// The southern edge, degrees north.
        #[serde(deserialize_with = "degrees::<_, 90>")]
        south: f64,
        /// The eastern edge, degrees east; less than `west` if it crosses the antimeridian.
        #[serde(deserialize_with = "degrees::<_, 180>")]
        east: f64,
        /// The northern edge, degrees north.
        #[serde(deserialize_with = "degrees::<_, 90>")]
        north: f64,
    }
}

fn degrees<'de, D: Deserializer<'de>, const MAX: i64>(from: D) -> Result<f64, D::Error> {
    let degrees = f64::deserialize(from)?;
    if degrees.abs() <= MAX as f64 {
        return Ok(degrees);
    }
    let error = format_args!("expected a number of degrees from -{MAX} to {MAX}");
    Err(serde::de::Error::custom(error))
}

impl BoundingBox {
    /// Whether it contains a position.
    pub fn contains(&self, at: &Location) -> bool {
        let is_between = self.west <= at.longitude && at.longitude <= self.east;
        let is_around = self.west <= at.longitude || at.longitude <= self.east;
        let is_east_west = if self.west <= self.east { is_between } else { is_around };
        is_east_west && (self.south..=self.north).contains(&at.latitude)
    }
}

/// Whether a position lies inside a boundary: a ray from it crosses an odd number of edges. One on
/// an edge lies inside one of the two boundaries that share the edge.
pub fn is_inside(boundary: &[Location], at: &Location) -> bool {
    let ends = boundary.iter().zip(boundary.iter().cycle().skip(1));
    let is_crossed = |(one, other): &(&Location, &Location)| {
        if (one.latitude > at.latitude) == (other.latitude > at.latitude) {
            return false;
        }
        let share = (at.latitude - one.latitude) / (other.latitude - one.latitude);
        at.longitude < one.longitude + share * (other.longitude - one.longitude)
    };
    ends.filter(is_crossed).count() % 2 == 1
}

/// Checks the corners of a boundary, if there is one.
pub(super) fn validate(coordinates: &[Location]) -> Result<(), Fault> {
    let is_area = coordinates.is_empty() || coordinates.len() >= 3;
    ensure(is_area, "coordinates", "at least three corners")
}
