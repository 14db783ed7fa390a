//! What is known to be lost or damaged, kept until somebody acknowledges it.
//!
//! Terms: a *loss* is one finding: acknowledged records that are missing, a store that is an older
//! one than it was, a row that is not what was stored. The reports lie in a file of their own in
//! the data folder, which is written before anything that shows the loss is changed, so that no
//! restart wipes it; that there are any is in the head as well (`journal::head`). As long as one is
//! unacknowledged, `/readyz` is not 200.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lastmeter_model::refusal;
use lastmeter_store::files;
use lastmeter_store::lock;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::log_throttle::LogThrottle;

/// Reports kept one by one; those beyond are counted.
const KEPT_MAX: usize = 500;
/// The longest note of an acknowledgement, bytes.
const NOTE_BYTES_MAX: usize = 1024;
/// Counts changes of the file.
const FORMAT: u32 = 1;

lastmeter_units::words! {
    /// What kind of loss it is.
    pub(crate) enum LossKind in files {
        /// Acknowledged records that are neither in the journal nor in the store.
        MissingRecords = "missing_records",
        /// Commands, their states, or clock settings that the store had.
        MissingChanges = "missing_changes",
        /// Rows of the audit that the store had, or that are other ones now.
        MissingAudit = "missing_audit",
        /// The head file is gone or unreadable: whether the end of the journal is whole is unknown.
        MissingHead = "missing_head",
        /// Reports of losses that there were.
        MissingReports = "missing_reports",
        /// Something in the store that is not what was stored.
        DamagedStore = "damaged_store",
        /// Refused readings whose content was too much to keep.
        ContentNotKept = "content_not_kept",
    }
}

/// One report of lost or damaged data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Loss {
    /// From 1, in the order of finding.
    pub(crate) id: u64,
    #[schemars(with = "String")]
    pub(crate) kind: LossKind,
    /// What exactly; the same place is reported once.
    pub(crate) place: String,
    /// What is lost and what can be done, for people.
    pub(crate) detail: String,
    /// When it was found, by the platform's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) found: SimTime,
    /// Who looked at it, if somebody has.
    pub(crate) acknowledged: Option<Acknowledged>,
}

/// Somebody has looked at a loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Acknowledged {
    /// When, by the platform's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) at: SimTime,
    pub(crate) note: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Content {
    format: u32,
    losses: Vec<Loss>,
    /// How many more were found when there were too many to keep.
    further: u64,
}

/// All reports of lost or damaged data, in memory and in their file.
pub(crate) struct Losses {
    path: PathBuf,
    clock: Arc<Clock>,
    state: Mutex<State>,
    unwritable: LogThrottle,
}

#[derive(Default)]
struct State {
    content: Content,
    /// The file holds less than the memory.
    is_unsaved: bool,
    /// Gets the number of open reports, whenever it changes.
    count_in: Option<Arc<crate::journal::Head>>,
}

impl Losses {
    /// Reads what was reported before. A file that cannot be read is put aside, and `true`
    /// returned.
    pub(crate) fn open(path: &Path, clock: Arc<Clock>) -> io::Result<(Self, bool)> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let content = bytes.as_deref().map(decode);
        let is_unreadable = matches!(content, Some(None));
        if is_unreadable {
            let mut aside = path.as_os_str().to_owned();
            aside.push(".unreadable");
            std::fs::rename(path, aside)?;
        }
        let content = content.flatten().unwrap_or_default();
        let state = Mutex::new(State { content, ..State::default() });
        Ok((
            Self { path: path.to_owned(), clock, state, unwritable: LogThrottle::default() },
            is_unreadable,
        ))
    }

    /// Looks at a file of reports and changes nothing: how many there are, how many of them nobody
    /// has acknowledged, and whether it cannot be read.
    pub(crate) fn look(path: &Path) -> io::Result<(u64, u64, bool)> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0, false)),
            Err(error) => return Err(error),
        };
        let Some(content) = decode(&bytes) else { return Ok((0, 0, true)) };
        let is_open = |loss: &&Loss| loss.acknowledged.is_none();
        let open = content.losses.iter().filter(is_open).count();
        Ok((content.count(), open as u64, false))
    }

    /// From now on the number of reports is noted in the head as well.
    pub(crate) fn count_in(&self, head: Arc<crate::journal::Head>) -> io::Result<()> {
        let mut state = lock(&self.state);
        let noted = head.losses(state.content.count());
        state.count_in = Some(head);
        noted
    }

    /// Reports a loss, durably, unless this place has been reported before.
    ///
    /// # Errors
    /// If the report could not be written; it is kept in memory and written with the next one.
    pub(crate) fn report(&self, kind: LossKind, place: &str, detail: &str) -> io::Result<()> {
        let mut state = lock(&self.state);
        let known = |loss: &Loss| loss.kind == kind && loss.place == place;
        if state.content.losses.iter().any(known) {
            return state.save(&self.path, false);
        }
        if state.content.losses.len() >= KEPT_MAX {
            state.content.further += 1;
            // Each one would be a write of the whole file.
            let shall_save = state.content.further.is_power_of_two();
            return state.save(&self.path, shall_save);
        }
        tracing::error!(kind = kind.word(), place, detail, "data is lost or damaged");
        let id = state.content.losses.len() as u64 + 1;
        state.content.losses.push(Loss {
            id,
            kind,
            place: place.to_owned(),
            detail: detail.to_owned(),
            found: self.clock.now(),
            acknowledged: None,
        });
        state.save(&self.path, true)
    }

    /// As `report`, for whoever goes on all the same.
    pub(crate) fn note(&self, kind: LossKind, place: &str, detail: &str) {
        if let Err(error) = self.report(kind, place, detail)
            && let Some(kept_back) = self.unwritable.admit()
        {
            tracing::error!(%error, kept_back, "a report of a loss could not be written");
        }
    }

    /// All reports, and how many more were found than are kept.
    pub(crate) fn list(&self) -> (Vec<Loss>, u64) {
        let state = lock(&self.state);
        (state.content.losses.clone(), state.content.further)
    }

    pub(crate) fn count(&self) -> u64 {
        lock(&self.state).content.count()
    }

    /// Reports that nobody has acknowledged, and the first of them.
    pub(crate) fn open_ones(&self) -> (u64, Option<Loss>) {
        let state = lock(&self.state);
        let mut open = state.content.losses.iter().filter(|loss| loss.acknowledged.is_none());
        let first = open.next().cloned();
        (u64::from(first.is_some()) + open.count() as u64, first)
    }

    /// Somebody has looked at a report; `None` if there is no such report. Once acknowledged it
    /// stays so, with the first note.
    ///
    /// # Errors
    /// If that could not be written; nothing is acknowledged then.
    pub(crate) fn acknowledge(&self, id: u64, note: &str) -> io::Result<Option<Loss>> {
        let mut state = lock(&self.state);
        let before = state.content.clone();
        let now = self.clock.now();
        let Some(loss) = state.content.losses.iter_mut().find(|loss| loss.id == id) else {
            return Ok(None);
        };
        if loss.acknowledged.is_none() {
            let note = refusal::shortened(note, NOTE_BYTES_MAX);
            loss.acknowledged = Some(Acknowledged { at: now, note });
        }
        let loss = loss.clone();
        if let Err(error) = state.save(&self.path, true) {
            state.content = before;
            return Err(error);
        }
        tracing::warn!(id, kind = loss.kind.word(), place = loss.place, "a loss was acknowledged");
        Ok(Some(loss))
    }
}

impl Content {
    fn count(&self) -> u64 {
        self.losses.len() as u64
    }
}

impl State {
    fn save(&mut self, path: &Path, is_news: bool) -> io::Result<()> {
        if !is_news && !self.is_unsaved {
            return Ok(());
        }
        self.is_unsaved = true;
        files::replace(path, &encode(&self.content))?;
        self.is_unsaved = false;
        match &self.count_in {
            Some(head) => head.losses(self.content.count()),
            None => Ok(()),
        }
    }
}

/// JSON, a line end, and the CRC-32C of the JSON in hexadecimal.
fn encode(content: &Content) -> Vec<u8> {
    let content = Content { format: FORMAT, ..content.clone() };
    // Plain texts and numbers: there is nothing in it that JSON could not hold.
    let mut out = serde_json::to_vec_pretty(&content).unwrap_or_default();
    let sum = crc32c::crc32c(&out);
    out.extend_from_slice(format!("\n{sum:08x}\n").as_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<Content> {
    let (json, sum) = bytes.split_last_chunk::<10>()?;
    if *sum != *format!("\n{:08x}\n", crc32c::crc32c(json)).as_bytes() {
        return None;
    }
    serde_json::from_slice::<Content>(json).ok().filter(|content| content.format == FORMAT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ClockSource;

    fn open(path: &Path) -> (Losses, bool) {
        let clock = Arc::new(Clock::new(ClockSource::Driven, SimTime(5)));
        Losses::open(path, clock).unwrap()
    }

    #[test]
    fn a_report_stays_until_it_is_acknowledged_and_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.losses");
        let (losses, _) = open(&path);
        for _ in 0..2 {
            losses.report(LossKind::MissingRecords, "3-5", "gone").unwrap();
        }
        losses.report(LossKind::DamagedStore, "3-5", "other").unwrap();
        let (losses, is_unreadable) = open(&path);
        assert!(!is_unreadable);
        let (kept, further) = losses.list();
        assert_eq!((kept.len(), further), (2, 0));
        assert_eq!((kept[0].id, kept[0].found, &*kept[0].detail), (1, SimTime(5), "gone"));
        assert_eq!(losses.open_ones().0, 2);
        assert_eq!(losses.acknowledge(9, "").unwrap(), None);
        losses.acknowledge(1, "seen").unwrap().unwrap();
        losses.acknowledge(1, "seen again").unwrap().unwrap();
        let (losses, _) = open(&path);
        let (open_ones, first) = losses.open_ones();
        assert_eq!((open_ones, first.unwrap().id), (1, 2));
        let acknowledged = losses.list().0[0].acknowledged.clone().unwrap();
        assert_eq!((&*acknowledged.note, acknowledged.at), ("seen", SimTime(5)));
        losses.report(LossKind::MissingRecords, "3-5", "gone").unwrap();
        assert_eq!(losses.open_ones().0, 1, "what was acknowledged is not reported again");
    }

    #[test]
    fn a_file_that_is_not_what_was_written_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.losses");
        let (losses, _) = open(&path);
        losses.report(LossKind::MissingRecords, "3-5", "gone").unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let place = bytes.iter().position(|byte| *byte == b'g').unwrap();
        bytes[place] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (losses, is_unreadable) = open(&path);
        assert!(is_unreadable && losses.list().0.is_empty());
        assert!(folder.path().join("default.losses.unreadable").exists());
    }

    #[test]
    fn what_cannot_be_written_is_kept_and_written_with_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not-yet/default.losses");
        let (losses, _) = open(&path);
        losses.report(LossKind::MissingRecords, "3-5", "gone").unwrap_err();
        assert_eq!(losses.open_ones().0, 1);
        losses.acknowledge(1, "").unwrap_err();
        assert_eq!(losses.open_ones().0, 1, "what is not durable is not acknowledged");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        losses.report(LossKind::MissingRecords, "3-5", "gone").unwrap();
        assert_eq!(open(&path).0.list().0.len(), 1);
    }

    #[test]
    fn there_are_only_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let (losses, _) = open(&folder.path().join("default.losses"));
        for number in 0..KEPT_MAX + 4 {
            losses.report(LossKind::DamagedStore, &number.to_string(), "").unwrap();
        }
        assert_eq!((losses.list().0.len(), losses.list().1), (KEPT_MAX, 4));
    }
}
