//! What lies in the data folder is for its owner alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// Every path below a folder with its mode.
fn modes(folder: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.append(&mut modes(&entry.path()));
        }
        found.insert(entry.path(), metadata.permissions().mode() & 0o777);
    }
    found
}

fn assert_private(folder: &Path) {
    for (path, mode) in modes(folder) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{} is {mode:o}", path.display());
    }
}

#[tokio::test]
async fn everything_in_the_data_folder_is_for_its_owner_and_what_was_looser_is_tightened() {
    let outer = tempfile::tempdir().unwrap();
    let config = config(&outer.path().join("made/data"), ClockSource::Driven);
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, outer).await;
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    assert!(modes(&bench.config.data).len() > 6, "store and journal are there");
    assert_private(bench.folder.path());
    let (config, outer) = (bench.config.clone(), bench.folder);
    assert!(bench.core.stop(STOP_LIMIT).await);
    drop(bench.core);
    // As versions before left it.
    for path in modes(&config.data.join("default")).keys() {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(config.data.join("default"), Permissions::from_mode(0o755)).unwrap();
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, outer).await;
    store(&bench.core, &[reading("home", Some(2), 230.0)]).await;
    assert_private(bench.folder.path());
    bench.stop().await;
}
