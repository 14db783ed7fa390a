//! A backup put in the place of a tenant.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use lastmeter_store::files;
use lastmeter_store::{Damages, StorePlace};
use lastmeter_units::TenantName;

use super::DataFolder;
use crate::backup::{HEAD, LOSSES, Manifest, STORE, copied};
use crate::error::PlatformError;
use crate::folder::Places;
use crate::process;

impl DataFolder {
    /// Puts a backup that has been checked in the place of its tenant.
    pub(super) fn restore(
        &self,
        from: &Path,
        manifest: Manifest,
        replaces: bool,
    ) -> Result<Manifest, PlatformError> {
        let unusable = |path, found: String| Err(PlatformError::unusable(path, found));
        if self.config.store.kind()?.name != "sqlite" {
            let found =
                "a backup is one of a store in a file; leave `[store]` out, or import what \
                         `lastmeter store export` wrote"
                    .to_owned();
            return unusable(from, found);
        }
        let Ok(name) = TenantName::new(manifest.tenant.clone()) else {
            return unusable(from, format!("`{}` is no name of a tenant", manifest.tenant));
        };
        let data = &self.config.data;
        let is_on_record = || -> Result<bool, PlatformError> {
            let records = process::open_file(&self.config)?.1;
            Ok(records.into_iter().any(|record| record.name == name))
        };
        if name != TenantName::default() && !is_on_record()? {
            let found = format!(
                "there is no tenant `{name}`, which has secrets and limits that no backup has; \
                 start the platform, make it, stop the platform, and restore with --replace"
            );
            return unusable(data, found);
        }
        let places = Places::of(&name, &self.config);
        let is_taken = places.is_taken(data);
        if is_taken && !replaces {
            let found = format!(
                "the tenant `{name}` is there; --replace moves it into `removed` and puts the \
                 backup in its place"
            );
            return unusable(data, found);
        }
        let new = data.join(format!("{name}.restored"));
        take_store(from, &manifest, &new, &name)?;
        let beside = |file| take_small(from, &manifest, file);
        let (head, losses) = (beside(HEAD)?, beside(LOSSES)?);
        // From here on it goes through: everything has been read and is what was written.
        if is_taken {
            places.put_aside(data)?;
        }
        let put = || {
            for (path, content) in [(&places.head, head), (&places.losses, losses)] {
                if let Some(content) = content {
                    files::replace(path, &content)?;
                }
            }
            std::fs::rename(&new, &places.tenant)?;
            File::open(data)?.sync_all()
        };
        put().map_err(PlatformError::io("put the backup in its place", data))?;
        Ok(manifest)
    }
}

/// Copies the store of a backup into a new folder, and makes sure that it is the one it was.
fn take_store(
    from: &Path,
    manifest: &Manifest,
    new: &Path,
    name: &TenantName,
) -> Result<(), PlatformError> {
    let (path, to) = (from.join(STORE), new.join(STORE));
    let copy = || {
        if new.exists() {
            std::fs::remove_dir_all(new)?;
        }
        files::make_folder(new)?;
        let file = files::private().create(true).write(true).truncate(true).open(&to)?;
        let found = copied(File::open(&path)?, &file)?;
        file.sync_all().map(|()| found)
    };
    let found = copy().map_err(PlatformError::io("copy the store of the backup", &to))?;
    let checked = || {
        let is_it = |sum: &crate::backup::FileSum| found == (sum.bytes, sum.sha256.clone());
        if !manifest.file(STORE).is_some_and(is_it) {
            return Err(PlatformError::damaged_backup(&path, "it changed while it was read"));
        }
        let damages = Arc::new(Damages::default());
        let observer = Arc::clone(&damages) as _;
        let place = StorePlace::new(name.clone(), new.to_owned(), observer);
        let standing = lastmeter_store::standing(&place)?;
        match damages.all().0.first() {
            Some(damage) => Err(PlatformError::damaged_backup(&path, damage.to_string())),
            None if manifest.is_of(&standing) => Ok(()),
            None => Err(PlatformError::damaged_backup(
                &path,
                "it has other counts than backup.json names",
            )),
        }
    };
    let checked = checked();
    if checked.is_err() {
        // The next attempt removes it as well.
        let _ = std::fs::remove_dir_all(new);
    }
    checked
}

/// The content of a small file of a backup, if it has one.
fn take_small(
    from: &Path,
    manifest: &Manifest,
    name: &str,
) -> Result<Option<Vec<u8>>, PlatformError> {
    let Some(sum) = manifest.file(name) else { return Ok(None) };
    let (path, mut content) = (from.join(name), Vec::new());
    let found = File::open(&path).and_then(|file| copied(file, &mut content));
    let found = found.map_err(PlatformError::io("read the backup", &path))?;
    if found != (sum.bytes, sum.sha256.clone()) {
        return Err(PlatformError::damaged_backup(&path, "it changed while it was read"));
    }
    Ok(Some(content))
}
