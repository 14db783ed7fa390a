//! What is kept survives; what is not whole is cut off; what is damaged is reported.

use proptest::prelude::*;

use super::*;

impl RecordStore {
    /// From here on nothing can be written.
    pub(in crate::gateway) fn break_for_test(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }
}

fn numbered(records: &[u64]) -> Vec<(u64, Vec<u8>)> {
    records.iter().map(|&number| (number, format!("record {number}").into_bytes())).collect()
}

fn texts(kept: &RecordStore) -> Vec<String> {
    kept.records().iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect()
}

#[test]
fn records_come_back_in_order_without_those_that_were_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = RecordStore::open(folder.path()).unwrap();
    kept.keep(&numbered(&[1, 2, 3])).unwrap();
    kept.forget(2).unwrap();
    kept.keep(&numbered(&[4])).unwrap();
    assert_eq!(texts(&kept), ["record 3", "record 4"]);
    drop(kept);
    assert_eq!(texts(&RecordStore::open(folder.path()).unwrap()), ["record 3", "record 4"]);
}

#[test]
fn a_folder_has_one_gateway_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _kept = RecordStore::open(folder.path()).unwrap();
    let error = RecordStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, KeptError::InUse(_)), "{error}");
}

#[test]
fn a_file_of_something_else_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.log");
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(RecordStore::open(folder.path()), Err(KeptError::Foreign(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");
}

#[test]
fn wherever_the_file_ends_all_whole_records_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.log");
    let mut kept = RecordStore::open(folder.path()).unwrap();
    kept.keep(&numbered(&[1, 2])).unwrap();
    let two = std::fs::metadata(&path).unwrap().len() as usize;
    kept.keep(&numbered(&[3])).unwrap();
    drop(kept);
    let whole = std::fs::read(&path).unwrap();
    for end in two..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let kept = RecordStore::open(folder.path()).unwrap();
        assert_eq!((texts(&kept).len(), kept.cut_bytes()), (2, end - two), "cut at {end}");
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, two);
    }
    // What a power failure leaves of blocks that were not written.
    let mut blank = whole[..two].to_vec();
    blank.extend([0; 100]);
    std::fs::write(&path, &blank).unwrap();
    assert_eq!(texts(&RecordStore::open(folder.path()).unwrap()).len(), 2);
}

#[test]
fn a_record_that_is_damaged_before_the_end_is_named_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.log");
    let mut kept = RecordStore::open(folder.path()).unwrap();
    kept.keep(&numbered(&[1, 2])).unwrap();
    drop(kept);
    let whole = std::fs::read(&path).unwrap();
    let first_ends = MAGIC.len() + HEAD_BYTES + "record 1".len();
    for flipped in MAGIC.len()..first_ends {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 0x01;
        std::fs::write(&path, &bytes).unwrap();
        match RecordStore::open(folder.path()) {
            Err(KeptError::Damaged { at, .. }) => assert_eq!(at, MAGIC.len()),
            other => panic!("byte {flipped}: {other:?}"),
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_file_that_is_mostly_forgotten_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.log");
    let mut kept = RecordStore::open(folder.path()).unwrap();
    for number in 1..=40 {
        kept.keep(&[(number, vec![7; 100_000])]).unwrap();
        kept.forget(number - 1).unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() < 2_500_000);
    kept.keep(&numbered(&[41])).unwrap();
    drop(kept);
    let kept = RecordStore::open(folder.path()).unwrap();
    assert_eq!(kept.records().len(), 2);
    assert_eq!(texts(&kept)[1], "record 41");
}

proptest! {
    #[test]
    fn nothing_in_the_file_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let mut file = MAGIC.to_vec();
        file.extend(bytes);
        std::fs::write(folder.path().join("kept.log"), file).unwrap();
        let _ = RecordStore::open(folder.path());
    }
}

#[test]
fn a_file_has_the_epoch_that_it_was_begun_with() {
    let folder = tempfile::tempdir().unwrap();
    let open = || RecordStore::open(folder.path()).unwrap();
    assert_eq!(open().epoch(700).unwrap(), 700);
    let mut kept = open();
    assert_eq!(kept.epoch(800).unwrap(), 700);
    // Also where all else has been written anew.
    kept.keep(&[(1, vec![0; FORGOTTEN_BYTES_MIN as usize]), (2, vec![1])]).unwrap();
    kept.forget(1).unwrap();
    drop(kept);
    assert!(std::fs::metadata(folder.path().join("kept.log")).unwrap().len() < 1000);
    let mut kept = open();
    assert_eq!((kept.epoch(900).unwrap(), kept.records().len()), (700, 1));
    drop(kept);
    // A file of before that has been in use goes on; a new one does not begin where it was.
    let old = tempfile::tempdir().unwrap();
    RecordStore::open(old.path()).unwrap().keep(&numbered(&[1])).unwrap();
    assert_eq!(RecordStore::open(old.path()).unwrap().epoch(900).unwrap(), 1);
    std::fs::remove_file(folder.path().join("kept.log")).unwrap();
    assert_eq!(open().epoch(900).unwrap(), 900);
}
