//! Where texts have room. What is laid out are the letters of a phone, on which a picture is
//! smallest and its letters are largest; anywhere else there is more room.

/// How wide a picture is in its own units.
pub(crate) const WIDTH: f64 = 430.0;

/// The height of letters on a phone and elsewhere, in units of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Letters {
    pub(crate) phone: f64,
    pub(crate) screen: f64,
}

/// Small letters are so much smaller.
pub(crate) const SMALL: f64 = 0.75;
/// The library's size of letters over theirs: with it the library estimates the widths of here.
pub(crate) const SIZE: f64 = 12.75;

impl Letters {
    /// How wide a text is, about, in any viewer's font.
    pub(crate) fn width_of(self, text: &str) -> f64 {
        0.58 * self.phone * text.chars().count() as f64
    }

    /// The height of a line.
    pub(crate) fn line(self) -> f64 {
        1.25 * self.phone
    }

    pub(crate) fn small(self) -> Self {
        Self { phone: SMALL * self.phone, screen: SMALL * self.screen }
    }

    /// A text in lines of at most this width, broken between words where there are any.
    pub(crate) fn wrapped(self, text: &str, width: f64) -> Vec<String> {
        let most = ((width / self.width_of("x")) as usize).max(4);
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let mut rest: Vec<char> = word.chars().collect();
            let last = lines.last_mut().expect("there is always a line");
            let has = last.chars().count();
            if has > 0 && has + 1 + rest.len() <= most {
                last.push(' ');
                last.extend(rest);
                continue;
            }
            if has > 0 {
                lines.push(String::new());
            }
            while rest.len() > most {
                let head = rest.drain(..most).collect();
                let at = lines.len() - 1;
                lines[at] = head;
                lines.push(String::new());
            }
            let at = lines.len() - 1;
            lines[at].extend(rest);
        }
        lines
    }
}

/// A rectangle in units of the picture: left, top, right, bottom.
pub(crate) type Area = [f64; 4];

fn overlaps(one: &Area, other: &Area) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

pub(crate) struct Free {
    pub(crate) within: Area,
    pub(crate) taken: Vec<Area>,
    /// What is covered only where there is no other room.
    pub(crate) avoided: Vec<Area>,
}

impl Free {
    /// The first of these upper left corners at which there is room of this size, which is taken.
    pub(crate) fn place(
        &mut self,
        corners: impl IntoIterator<Item = (f64, f64)> + Clone,
        (width, height): (f64, f64),
    ) -> Option<(f64, f64)> {
        let area = |(x, y): (f64, f64)| [x, y, x + width, y + height];
        let [left, top, right, bottom] = self.within;
        let is_free = |corner: &(f64, f64)| {
            let [x1, y1, x2, y2] = area(*corner);
            let is_within = x1 >= left && y1 >= top && x2 <= right && y2 <= bottom;
            is_within && !self.taken.iter().any(|other| overlaps(&area(*corner), other))
        };
        let is_clear = |corner: &(f64, f64)| {
            is_free(corner) && !self.avoided.iter().any(|other| overlaps(&area(*corner), other))
        };
        let clear = corners.clone().into_iter().find(is_clear);
        let found = clear.or_else(|| corners.into_iter().find(is_free))?;
        self.taken.push(area(found));
        Some(found)
    }
}

/// Upright lines with words above them, in rows: where each word stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stairs {
    /// The row from above and the left end of each word; `None` of one that has no room, or that
    /// stands beside the same word already.
    pub(crate) places: Vec<Option<(usize, f64)>>,
    pub(crate) rows: usize,
}

/// More rows of words than these would leave no room for curves.
const ROWS_MAX: usize = 5;
/// The same words nearer than so many heights of a letter share it.
const SHARED: f64 = 1.6;

impl Stairs {
    /// Of words with the places of their lines, in a picture from 0 to `width`. A line goes down
    /// from the row of its word, so that it crosses no word before it.
    pub(crate) fn of(words: &[(f64, &str)], width: f64, letters: Letters) -> Self {
        let mut free_from = [f64::NEG_INFINITY; ROWS_MAX];
        let mut written: Vec<(f64, &str)> = Vec::new();
        // Where lines are, and from which row they go down.
        let mut lines: Vec<(f64, usize)> = Vec::new();
        let mut stairs = Self::default();
        let mut ordered: Vec<usize> = (0..words.len()).collect();
        ordered.sort_by(|a, b| words[*a].0.total_cmp(&words[*b].0));
        stairs.places.resize(words.len(), None);
        for place in ordered {
            let (at, word) = words[place];
            let near = SHARED * letters.phone;
            let is_shared = |(x, other): &(f64, &str)| *other == word && (at - x).abs() < near;
            if word.is_empty() || written.iter().any(is_shared) {
                continue;
            }
            let (gap, long) = (0.25 * letters.phone, letters.width_of(word));
            // Right of its line, left of it, or across it at the edge.
            let sides = [at + gap, at - gap - long, (width - long).max(0.0)];
            let spots = (0..ROWS_MAX).flat_map(|row| sides.map(|left| (row, left)));
            let is_free = |(row, left): &(usize, f64)| {
                let (from, to) = (left.min(at), left + long);
                let is_crossed = |(x, above): &(f64, usize)| *above < *row && from < *x && *x < to;
                *left >= 0.0
                    && to <= width
                    && free_from[*row..].iter().all(|free| from >= *free)
                    && !lines.iter().any(is_crossed)
            };
            let Some((row, left)) = spots.into_iter().find(is_free) else { continue };
            free_from[row] = (left + long + 2.0 * gap).max(at + gap);
            lines.push((at, row));
            stairs.rows = stairs.rows.max(row + 1);
            stairs.places[place] = Some((row, left));
            written.push((at, word));
        }
        stairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: Letters = Letters { phone: 10.0, screen: 8.0 };

    #[test]
    fn words_of_lines_go_down_as_stairs_and_equal_ones_share() {
        let near = [(10.0, "ignited"), (22.0, "melted"), (26.0, "melted"), (34.0, "blown")];
        let rows = |words: &[(f64, &str)]| {
            let stairs = Stairs::of(words, 200.0, LETTERS);
            stairs.places.iter().map(|it| it.map(|(row, _)| row)).collect::<Vec<_>>()
        };
        assert_eq!(rows(&near), [Some(0), Some(1), None, Some(2)]);
        // Far enough from the others a word stands above again; at the right end before its line.
        let far = Stairs::of(&[(10.0, "ignited"), (100.0, "x"), (199.0, "blown")], 200.0, LETTERS);
        assert_eq!(far.places[1].unwrap().0, 0);
        assert!(far.places[2].unwrap().1 < 190.0);
    }

    /// The third has room in the first row, but its line would cross the second word.
    #[test]
    fn no_line_crosses_the_word_of_another() {
        let long = "a label that reaches rather far";
        let words = [(2.0, long), (25.0, long), (190.0, "x")];
        let rows: Vec<_> = Stairs::of(&words, 400.0, LETTERS).places;
        assert_eq!(rows.iter().map(|it| it.unwrap().0).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn texts_are_broken_between_words_and_never_lost() {
        let lines = LETTERS.wrapped("reported by a-meter-with-a-very-long-name of all", 70.0);
        assert!(lines.iter().all(|line| line.chars().count() <= 12), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), "reportedbya-meter-with-a-very-long-nameofall");
        assert_eq!(LETTERS.wrapped("", 70.0), [""]);
    }

    #[test]
    fn places_cover_neither_each_other_nor_what_is_taken() {
        let (within, taken) = ([0.0, 0.0, 30.0, 10.0], vec![[0.0, 0.0, 9.0, 10.0]]);
        let mut free = Free { within, taken, avoided: vec![[12.0, 2.0, 13.0, 3.0]] };
        let corners = [(0.0, 0.0), (10.0, 0.0), (20.0, 0.0), (25.0, 0.0)];
        assert_eq!(free.place(corners, (9.0, 9.0)), Some((20.0, 0.0)));
        assert_eq!(free.place(corners, (9.0, 9.0)), Some((10.0, 0.0)), "where nothing else is");
        assert_eq!(free.place(corners, (9.0, 9.0)), None);
    }
}
