//! Where words stand, so that they cover neither each other nor what is drawn.

/// Mean width of a letter and height of a line, pixels.
pub(super) const LETTER: (f64, f64) = (5.9, 11.0);

/// From the base line of words to their lower edge, pixels.
pub(super) const BASE: f64 = 2.5;

/// Between words and what they must not cover, pixels.
const GAP: f64 = 1.0;

/// How bad it is to cover other words, something that is drawn, and a line.
const COSTS: [f64; 3] = [100.0, 10.0, 1.0];

/// A rectangle: left, top, right, bottom.
pub(super) type Area = [f64; 4];

pub(super) fn overlaps(one: &Area, other: &Area) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

/// A rectangle around a point.
pub(super) fn around((x, y): (f64, f64), wide: f64, tall: f64) -> Area {
    [x - wide / 2.0, y - tall / 2.0, x + wide / 2.0, y + tall / 2.0]
}

/// What there is in a picture, and the words that were placed in it.
#[derive(Default)]
pub(super) struct Room {
    pub(super) width: f64,
    pub(super) height: f64,
    /// What is drawn.
    pub(super) taken: Vec<Area>,
    /// Straight lines, from and to.
    pub(super) lines: Vec<((f64, f64), (f64, f64))>,
    pub(super) words: Vec<Area>,
}

impl Room {
    /// Finds a place for words beside a point: the first candidate that covers nothing, or else the
    /// one that covers least. Where they begin and their base line.
    pub(super) fn place(&mut self, text: &str, (x, y): (f64, f64)) -> (f64, f64) {
        let (wide, tall) = (text.chars().count() as f64 * LETTER.0, LETTER.1);
        let mut best: Option<(f64, Area)> = None;
        for ring in 0..8 {
            let out = f64::from(ring) * 0.75 * tall;
            let (side, row) = (6.0, tall / 2.0);
            let (right, left, middle) = (x + side, x - side - wide, x - wide / 2.0);
            // Above right, above left, above, below right, below left, below, right, left.
            let (above, below) = (y - 5.0 - tall - out, y + 5.0 + out);
            let spots = [
                (right, above + 2.0),
                (left, above + 2.0),
                (middle, above),
                (right, below - 2.0),
                (left, below - 2.0),
                (middle, below),
                (right + out, y - row),
                (left - out, y - row),
            ];
            for (from, top) in spots {
                let area = [from, top, from + wide, top + tall];
                let cost = self.cost(&area);
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, area));
                }
            }
            if best.is_some_and(|(cost, _)| cost == 0.0) {
                break;
            }
        }
        let (_, area) = best.unwrap_or((0.0, [x, y, x, y]));
        self.words.push(area);
        (area[0], area[3] - BASE)
    }

    fn cost(&self, area: &Area) -> f64 {
        let is_outside = area[0] < 2.0
            || area[1] < 2.0
            || area[2] > self.width - 2.0
            || area[3] > self.height - 2.0;
        let wide = [area[0] - GAP, area[1] - GAP, area[2] + GAP, area[3] + GAP];
        let count = |all: &[Area]| all.iter().filter(|other| overlaps(&wide, other)).count() as f64;
        let lines = self.lines.iter().filter(|(from, to)| crosses(&wide, *from, *to)).count();
        let outside = if is_outside { COSTS[0] } else { 0.0 };
        let words = COSTS[0] * count(&self.words) + COSTS[1] * count(&self.taken);
        outside + words + COSTS[2] * lines as f64
    }
}

/// Whether a straight line goes through a rectangle (Liang and Barsky).
fn crosses(area: &Area, from: (f64, f64), to: (f64, f64)) -> bool {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let borders = [
        (-dx, from.0 - area[0]),
        (dx, area[2] - from.0),
        (-dy, from.1 - area[1]),
        (dy, area[3] - from.1),
    ];
    let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
    for (step, room) in borders {
        if step == 0.0 {
            if room < 0.0 {
                return false;
            }
        } else if step < 0.0 {
            enters = enters.max(room / step);
        } else {
            leaves = leaves.min(room / step);
        }
    }
    enters <= leaves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_crosses_what_it_goes_through() {
        let area = [10.0, 10.0, 20.0, 20.0];
        for (from, to, found) in [
            ((0.0, 15.0), (30.0, 15.0), true),
            ((0.0, 15.0), (5.0, 15.0), false),
            ((0.0, 0.0), (30.0, 30.0), true),
            ((0.0, 25.0), (30.0, 25.0), false),
            ((12.0, 12.0), (13.0, 12.0), true),
            ((0.0, 12.0), (12.0, 0.0), false),
        ] {
            assert_eq!(crosses(&area, from, to), found, "{from:?} {to:?}");
        }
    }

    #[test]
    fn words_avoid_words_and_drawings_while_there_is_room() {
        let mut room = Room { width: 300.0, height: 300.0, ..Room::default() };
        room.taken.push(around((150.0, 150.0), 10.0, 10.0));
        for _ in 0..12 {
            room.place("a long name", (150.0, 150.0));
        }
        for (at, one) in room.words.iter().enumerate() {
            assert!(!room.words[..at].iter().any(|other| overlaps(one, other)));
            assert!(!overlaps(one, &room.taken[0]));
        }
        // Where there is none they are somewhere all the same.
        let mut none = Room::default();
        none.place("a", (0.0, 0.0));
        assert_eq!(none.words.len(), 1);
    }
}
