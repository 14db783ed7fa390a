//! Search for secondary addresses (EN 13757-3, 11.5): a mask of wildcards is narrowed digit by
//! digit wherever several slaves answer, then by device type, version and manufacturer.

use super::exchange::{Exchanged, Request};
use super::job::Outcome;
use super::links::Links;
use crate::application::Application;
use crate::frame::{Frame, SELECTED};
use crate::header::{Identification, Identity, Manufacturer, Medium};

/// Digits of an identification.
const DIGITS: u32 = 8;
const WILD_DIGIT: u8 = 0xF;

#[derive(Debug, Clone)]
enum Place {
    /// Who answers to this mask?
    Probe(Identity),
    /// Masks that one field narrows, one after another.
    Each { mask: Identity, field: Field, next: u32 },
    /// All below this mask was asked. If nothing came of it, somebody stays unseparated.
    End { mask: Identity, results: usize },
}

/// The field that separates slaves whose identifications are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Digit(u32),
    Medium,
    Version,
    Manufacturer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// Selected by the mask.
    Selected(Identity),
    /// Asked for data whoever the mask selected.
    Data(Identity),
    /// Selected exactly who answered to the mask.
    Confirmed {
        mask: Identity,
        identity: Identity,
    },
    /// Asked for data exactly who answered to the mask.
    Again {
        mask: Identity,
        identity: Identity,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Search {
    places: Vec<Place>,
    asked: Asked,
    found: Vec<Identity>,
    unresolved: Vec<Identity>,
}

impl Search {
    pub(super) fn new(among: Identity) -> Self {
        let places = vec![Place::Probe(among)];
        Self { places, asked: Asked::Nothing, found: Vec::new(), unresolved: Vec::new() }
    }

    /// The next request, or what was found.
    pub(super) fn next(
        &mut self,
        last: Option<Exchanged>,
        links: &mut Links,
    ) -> Result<Request, Outcome> {
        let asked = std::mem::replace(&mut self.asked, Asked::Nothing);
        match (asked, last) {
            (Asked::Selected(mask), Some(Exchanged::Acknowledged)) => {
                return Ok(self.read(Asked::Data(mask), links));
            }
            (Asked::Data(mask), Some(answer)) => match identity(&answer, mask) {
                Some(identity) if identity == mask => self.found.push(identity),
                Some(identity) => {
                    return Ok(self.select(Asked::Confirmed { mask, identity }, links));
                }
                None => self.narrow(mask),
            },
            (Asked::Confirmed { mask, identity }, Some(Exchanged::Acknowledged)) => {
                return Ok(self.read(Asked::Again { mask, identity }, links));
            }
            (Asked::Again { mask, identity: expected }, Some(answer)) => {
                if identity(&answer, expected) == Some(expected) {
                    self.found.push(expected);
                } else {
                    self.narrow(mask);
                }
            }
            // Several acknowledged; or who seemed to answer does not exist, and bytes of several
            // made it up.
            (Asked::Selected(mask), Some(Exchanged::Garbled(_)))
            | (Asked::Confirmed { mask, .. }, _) => self.narrow(mask),
            _ => {}
        }
        self.advance(links)
    }

    fn select(&mut self, asked: Asked, links: &mut Links) -> Request {
        let (Asked::Selected(mask) | Asked::Confirmed { identity: mask, .. }) = asked else {
            return links.initialise(SELECTED);
        };
        self.asked = asked;
        links.restart(SELECTED);
        colliding(links.select(mask))
    }

    fn read(&mut self, asked: Asked, links: &mut Links) -> Request {
        self.asked = asked;
        links.restart(SELECTED);
        let request = colliding(links.read(SELECTED));
        links.toggle(SELECTED);
        request
    }

    fn results(&self) -> usize {
        self.found.len() + self.unresolved.len()
    }

    /// Several answer to a mask: each narrower one is asked.
    fn narrow(&mut self, mask: Identity) {
        let wild = (0..DIGITS).find(|place| mask.identification.digit(*place) == WILD_DIGIT);
        let field = match wild {
            Some(place) => Field::Digit(place),
            None if mask.medium == Medium::ANY => Field::Medium,
            None if mask.version == 0xFF => Field::Version,
            None if mask.manufacturer == Manufacturer::ANY => Field::Manufacturer,
            None => {
                self.unresolved.push(mask);
                return;
            }
        };
        self.places.push(Place::End { mask, results: self.results() });
        self.places.push(Place::Each { mask, field, next: 0 });
    }

    fn advance(&mut self, links: &mut Links) -> Result<Request, Outcome> {
        while let Some(place) = self.places.pop() {
            match place {
                Place::Probe(mask) => return Ok(self.select(Asked::Selected(mask), links)),
                Place::Each { mask, field, next } => {
                    if let Some(narrower) = narrower(mask, field, next, &links.config.manufacturers)
                    {
                        self.places.push(Place::Each { mask, field, next: next + 1 });
                        self.places.push(Place::Probe(narrower));
                    }
                }
                Place::End { mask, results } if results == self.results() => {
                    self.unresolved.push(mask);
                }
                Place::End { .. } => {}
            }
        }
        let found = std::mem::take(&mut self.found);
        Err(Outcome::Searched { found, unresolved: std::mem::take(&mut self.unresolved) })
    }
}

/// Several may answer: what is garbled is a result, not repeated.
fn colliding(request: Request) -> Request {
    Request { after_garble: 0, collisions: true, ..request }
}

/// The mask with the `next`-th value of a field; nothing behind the last.
fn narrower(
    mask: Identity,
    field: Field,
    next: u32,
    manufacturers: &[Manufacturer],
) -> Option<Identity> {
    match field {
        Field::Digit(place) => {
            let identification: Identification =
                mask.identification.with_digit(place, u8::try_from(next).ok()?);
            (next < 10).then_some(Identity { identification, ..mask })
        }
        Field::Medium => (next < 0xFF).then_some(Identity { medium: Medium(next as u8), ..mask }),
        Field::Version => (next < 0xFF).then_some(Identity { version: next as u8, ..mask }),
        Field::Manufacturer if manufacturers.is_empty() => {
            let letter = |power: u32| (next / power % 26 + 1) as u16;
            let manufacturer = Manufacturer(letter(676) << 10 | letter(26) << 5 | letter(1));
            (next < 26 * 26 * 26).then_some(Identity { manufacturer, ..mask })
        }
        Field::Manufacturer => {
            let manufacturer = *manufacturers.get(next as usize)?;
            Some(Identity { manufacturer, ..mask })
        }
    }
}

/// Who answered, if one alone did and the mask selects it. A fixed data structure states no
/// more than an identification; what a mask has not fixed of the rest stays open.
fn identity(answer: &Exchanged, mask: Identity) -> Option<Identity> {
    let Exchanged::Response(bytes) = answer else { return None };
    let identity = match Application::decode(&Frame::decode(bytes).ok()?).ok()? {
        Application::Variable { header, .. } => *header.identity()?,
        Application::Fixed { fixed, .. } => {
            Identity { identification: fixed.identification, ..mask }
        }
        _ => return None,
    };
    mask.selects(&identity).then_some(identity)
}
