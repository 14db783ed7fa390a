//! Results of applications about networks that are held in memory: those of the kinds that pages
//! look for. Where there is no room for all, histories go first, then what is over, the oldest
//! first.

use std::collections::BTreeMap;

use lastmeter_model::row::ResultRow;

/// Kinds of results that are looked for.
pub(crate) const OUTAGE: &str = "outage";
pub(crate) const FAULT: &str = "fault";
/// What is held at most, bytes; what is beyond that is not known here.
const BYTES_MAX: usize = 16 << 20;
/// What a row takes beside its texts, with its places in the lists below, bytes.
const ROW_BYTES: usize = 512;

/// How soon a row makes room for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// There is a later one of its subject.
    History,
    Over,
    GoesOn,
}

/// Where a row stands in the order in which they make room: its rank and sequence.
type Place = (Rank, u64);

/// What a result is the last one of: kind, application and subject.
pub(crate) type Key = (String, String, String);

/// Results of a tenant that were read.
#[derive(Default)]
pub(crate) struct Concluded {
    /// The sequence up to which there is nothing that was not looked at.
    pub(crate) after: u64,
    bytes: usize,
    rows: BTreeMap<Place, ResultRow>,
    last: BTreeMap<Key, Place>,
}

impl Concluded {
    /// The last one of each application's subject of a kind.
    pub(crate) fn last(&self, kind: &str) -> impl Iterator<Item = &ResultRow> {
        let of_kind = self.last.iter().filter(move |(key, _)| key.0 == kind);
        of_kind.filter_map(|(_, place)| self.rows.get(place))
    }

    /// All of a subject, in the order of their commit.
    pub(crate) fn history(&self, of: &Key) -> impl Iterator<Item = &ResultRow> {
        let found = self.rows.values().filter(|row| key(row) == *of);
        found.map(|row| (row.sequence, row)).collect::<BTreeMap<_, _>>().into_values()
    }

    /// Takes the next row of the store.
    pub(crate) fn take(&mut self, row: ResultRow) {
        self.after = row.sequence;
        if ![OUTAGE, FAULT].contains(&row.kind.as_str()) {
            return;
        }
        // A fault is located, and that is all.
        let goes_on = row.kind == OUTAGE && row.until.is_none();
        let place = (if goes_on { Rank::GoesOn } else { Rank::Over }, row.sequence);
        if let Some(before) = self.last.insert(key(&row), place)
            && let Some(row) = self.rows.remove(&before)
        {
            self.rows.insert((Rank::History, before.1), row);
        }
        self.bytes += bytes(&row);
        self.rows.insert(place, row);
        while self.bytes > BYTES_MAX
            && let Some((&first, _)) = self.rows.first_key_value()
        {
            self.remove(first);
        }
    }

    /// Notes that the store keeps nothing up to a sequence any more.
    pub(crate) fn forget(&mut self, through: u64) {
        self.after = self.after.max(through);
        let gone = self.rows.keys().copied().filter(|(_, sequence)| *sequence <= through);
        gone.collect::<Vec<_>>().into_iter().for_each(|place| self.remove(place));
    }

    fn remove(&mut self, place: Place) {
        let Some(row) = self.rows.remove(&place) else { return };
        self.bytes -= bytes(&row);
        if place.0 != Rank::History {
            self.last.remove(&key(&row));
        }
    }
}

fn key(row: &ResultRow) -> Key {
    (row.kind.clone(), row.device.to_string(), row.subject.clone())
}

fn bytes(row: &ResultRow) -> usize {
    let texts = row.kind.len() + row.device.as_str().len() + row.subject.len();
    ROW_BYTES + 2 * texts + row.content.len()
}

#[cfg(test)]
mod tests {
    use lastmeter_units::{HardwareId, SimTime};

    use super::*;

    fn row(sequence: u64, subject: &str, until: Option<i64>, bytes: usize) -> ResultRow {
        ResultRow {
            sequence,
            device: HardwareId::new("outages").unwrap(),
            number: Some((1, sequence)),
            kind: OUTAGE.to_owned(),
            subject: subject.to_owned(),
            from: SimTime(0),
            until: until.map(SimTime),
            received: SimTime(0),
            content: " ".repeat(bytes),
        }
    }

    fn held(concluded: &Concluded) -> Vec<u64> {
        let mut held: Vec<u64> = concluded.rows.values().map(|row| row.sequence).collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn what_goes_on_is_held_longest_then_the_last_of_what_is_over_then_histories() {
        let (mut concluded, quarter) = (Concluded::default(), BYTES_MAX / 4 - 1000);
        for (sequence, subject, until) in
            [(1, "open", None), (2, "grown", None), (3, "grown", Some(9)), (4, "over", Some(9))]
        {
            concluded.take(row(sequence, subject, until, quarter));
        }
        assert_eq!(held(&concluded), [1, 2, 3, 4]);
        for (sequence, left) in [(5, [1, 3, 4, 5]), (6, [1, 4, 5, 6]), (7, [1, 5, 6, 7])] {
            concluded.take(row(sequence, &format!("n{sequence}"), None, quarter));
            assert_eq!(held(&concluded), left);
        }
        // Of what goes on, the oldest.
        concluded.take(row(8, "n8", None, quarter));
        assert_eq!(held(&concluded), [5, 6, 7, 8]);
    }

    #[test]
    fn rows_without_content_take_room_too() {
        let mut concluded = Concluded::default();
        let most = BYTES_MAX / size_of::<ResultRow>();
        for sequence in 1..=2 * most as u64 {
            concluded.take(row(sequence, "outage-1", None, 0));
        }
        assert!(concluded.rows.len() <= most, "{}", concluded.rows.len());
    }

    #[test]
    fn what_the_store_keeps_no_longer_is_forgotten() {
        let mut concluded = Concluded::default();
        (1..=4).for_each(|sequence| concluded.take(row(sequence, "outage-1", None, 10)));
        concluded.forget(3);
        assert_eq!((held(&concluded), concluded.after), (vec![4], 4));
        concluded.forget(9);
        assert_eq!((held(&concluded), concluded.after), (vec![], 9));
        concluded.take(row(10, "outage-1", None, 10));
        assert_eq!(held(&concluded), [10]);
    }
}
