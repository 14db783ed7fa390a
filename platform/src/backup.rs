//! Backups of a tenant, made while it runs.
//!
//! A backup is a folder: `store.db` as of one moment, the `head` and the `losses` that go with it,
//! and `backup.json`, written last, with the counts of the store and the hashes of the files. It
//! has a hash of itself as well and one form only, so that no flipped byte in any of them passes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use lastmeter_model::access::Secret;
use lastmeter_model::audit::Hash;
use lastmeter_model::standing::Standing;
use lastmeter_store::files;
use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::wall_now;
use crate::error::PlatformError;
use crate::journal::{Facts, Head};
use crate::tenant::Tenant;

/// Counts changes of `backup.json`.
const FORMAT: u32 = 1;
const MANIFEST: &str = "backup.json";
pub(crate) const STORE: &str = "store.db";
pub(crate) const HEAD: &str = "head";
pub(crate) const LOSSES: &str = "losses";
/// Beside a backup, while it is made.
const UNFINISHED: &str = ".unfinished";
/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 16;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form.
    pub format_version: u32,
    /// Whose it is.
    pub tenant: String,
    /// When it was made, by the wall's clock.
    pub made: SimTime,
    /// Version of the program that made it.
    pub program: String,
    /// Rows of the store by their kind.
    pub rows: BTreeMap<String, u64>,
    /// The last entry of the journal that is in the store.
    pub journal_committed: u64,
    /// Changes of its own that the platform had stored.
    pub changes: u64,
    /// Hash of the last row of the audit, hexadecimal.
    pub audit_hash: String,
    /// The other files.
    pub files: Vec<FileSum>,
    /// SHA-256 of this form without it, hexadecimal.
    pub sha256: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSum {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// Rows of a store by their kind.
pub(crate) fn rows(standing: &Standing) -> BTreeMap<String, u64> {
    let rows = [
        ("readings", standing.readings),
        ("refusals", standing.refusals),
        ("alerts", standing.alerts),
        ("results", standing.results),
        ("blocks", standing.blocks),
        ("devices", standing.devices),
        ("invocations", standing.invocations),
        ("documents", standing.documents),
        ("versions", standing.versions),
        ("audit", standing.chain.count),
    ];
    rows.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

pub(crate) fn hex(hash: &Hash) -> String {
    // A secret's digits are those of any hash.
    Secret(*hash).print()
}

impl Manifest {
    fn text(&self) -> String {
        // A structure of texts and numbers is JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    fn sum(&self) -> String {
        let open = Self { sha256: String::new(), ..self.clone() };
        hex(&Sha256::digest(open.text()).into())
    }

    /// What a file of it has to be.
    pub(crate) fn file(&self, name: &str) -> Option<&FileSum> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether a store is the one of the backup.
    pub(crate) fn is_of(&self, standing: &Standing) -> bool {
        self.rows == rows(standing)
            && self.journal_committed == standing.journal_committed
            && self.changes == standing.changes
            && self.audit_hash == hex(&standing.chain.hash)
    }
}

/// Copies what is read, and gives its length and hash.
pub(crate) fn copied(mut from: impl io::Read, mut to: impl io::Write) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok((bytes, hex(&hash.finalize().into())));
        }
        hash.update(&piece[..count]);
        to.write_all(&piece[..count])?;
        bytes += count as u64;
    }
}

/// Writes a backup of a tenant into a folder that is not there yet. It blocks.
///
/// # Errors
/// If the store's kind is not copied, or the system refuses something; nothing is left of it then.
pub(crate) fn back_up(tenant: &Tenant, to: &Path) -> Result<Manifest, PlatformError> {
    if to.exists() {
        return Err(PlatformError::unusable(to, "it is there; name a folder that is not"));
    }
    let unfinished = to.with_file_name(UNFINISHED);
    let written = write(tenant, &unfinished).and_then(|manifest| {
        let named = std::fs::rename(&unfinished, to)
            .and_then(|()| File::open(to.parent().unwrap_or(to))?.sync_all());
        named.map(|()| manifest).map_err(PlatformError::io("name the backup", to))
    });
    if written.is_err() && unfinished.exists() {
        // The next one removes it as well.
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    written
}

fn write(tenant: &Tenant, folder: &Path) -> Result<Manifest, PlatformError> {
    let io = |doing| PlatformError::io(doing, folder);
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(io("remove an unfinished backup"))?;
    }
    files::make_folder(folder).map_err(io("make the folder of the backup"))?;
    let (kind, place) = &tenant.store;
    let standing = (kind.copy)(place, &folder.join(STORE))?;
    // Reports become more, never fewer.
    let losses = tenant.losses.count();
    let mut names = vec![STORE, HEAD];
    if tenant.places.losses.exists() {
        std::fs::copy(&tenant.places.losses, folder.join(LOSSES))
            .map_err(io("copy the reports of losses"))?;
        names.push(LOSSES);
    }
    // The journal does not come with it: all of it up to here is in the store.
    let facts = Facts {
        synced: standing.journal_committed,
        committed: standing.journal_committed,
        changes: standing.changes,
        clock_ns: standing.clock_ns.unwrap_or_default(),
        losses,
        audit: standing.chain.head(),
    };
    Head::create(&folder.join(HEAD), facts).map_err(io("write the head of the backup"))?;
    let summed = |name: &str| -> io::Result<FileSum> {
        let file = File::open(folder.join(name))?;
        let (bytes, sha256) = copied(&file, io::sink())?;
        file.sync_all()?;
        Ok(FileSum { name: name.to_owned(), bytes, sha256 })
    };
    let sums = names.into_iter().map(summed).collect::<io::Result<Vec<_>>>();
    let mut manifest = Manifest {
        format_version: FORMAT,
        tenant: tenant.name.to_string(),
        made: wall_now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        rows: rows(&standing),
        journal_committed: standing.journal_committed,
        changes: standing.changes,
        audit_hash: hex(&standing.chain.hash),
        files: sums.map_err(io("read the backup"))?,
        sha256: String::new(),
    };
    manifest.sha256 = manifest.sum();
    let written = files::replace(&folder.join(MANIFEST), manifest.text().as_bytes());
    written.map_err(io("write backup.json"))?;
    Ok(manifest)
}

/// Whether a folder seems to be a backup.
pub(crate) fn is_there(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file()
}

/// Reads what is in a backup, and makes sure that each of its files is what was written.
///
/// # Errors
/// If it is none, of another version, or damaged.
pub(crate) fn check(from: &Path) -> Result<Manifest, PlatformError> {
    let path = from.join(MANIFEST);
    if !path.is_file() {
        let found = "there is no backup.json, expected the folder of a whole backup";
        return Err(PlatformError::unusable(from, found));
    }
    let text = std::fs::read(&path).map_err(PlatformError::io("read backup.json", &path))?;
    let damaged = |path: &Path, found: &str| Err(PlatformError::damaged_backup(path, found));
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) else {
        return damaged(&path, "it is not what a backup of this version has");
    };
    if manifest.text().as_bytes() != text || manifest.sum() != manifest.sha256 {
        return damaged(&path, "it does not have its hash");
    }
    if manifest.format_version != FORMAT {
        let found = format!("format_version is {}, expected {FORMAT}", manifest.format_version);
        return Err(PlatformError::unusable(&path, found));
    }
    if [STORE, HEAD].iter().any(|name| manifest.file(name).is_none()) {
        return damaged(&path, "it does not name `store.db` and `head`");
    }
    for name in [STORE, HEAD, LOSSES] {
        let Some(file) = manifest.file(name) else { continue };
        let path = from.join(name);
        let found = File::open(&path).and_then(|file| copied(file, io::sink()));
        match found {
            Ok(found) if found == (file.bytes, file.sha256.clone()) => {}
            Ok(_) => return damaged(&path, "it does not have the hash that backup.json names"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return damaged(&path, "it is missing");
            }
            Err(error) => return Err(PlatformError::io("read the backup", &path)(error)),
        }
    }
    Ok(manifest)
}
