//! Which files are meant by the paths of a command line.
//!
//! Of a folder all TOML files at any depth, whatever the case of their ending, through links too;
//! each file once, however many ways lead to it. What looks like a scenario and is left out is
//! named: hidden files and folders, locks and backups of editors. What cannot be looked at, and a
//! link that leads nowhere, is an error: what it stands for would be missed by nobody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::library::{self, LIBRARY, PREFIX};
use lastmeter_params::{is_name, nearest};
use lastmeter_reports::suite::PassedOver;
use lastmeter_text::plural;

/// Hidden folders are not searched for what they hide without end.
const HIDDEN_LOOKED_AT_MAX: usize = 10_000;

/// A scenario file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it was named itself, not a folder it lies in.
    pub named: bool,
}

/// What the paths of a command line stand for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The files, in the order of the paths, of a folder in that of their names.
    pub files: Vec<Selected>,
    /// What lies in the folders and was left out.
    pub passed_over: Vec<PassedOver>,
}

/// The scenario files behind the given paths.
///
/// # Errors
/// What is not there, cannot be looked at, or leads nowhere.
pub fn select(paths: &[PathBuf]) -> Result<Selection, String> {
    let mut found = Vec::new();
    let mut passed_over = Vec::new();
    for path in paths {
        let path = &of_the_library(path)?.unwrap_or_else(|| path.clone());
        let about = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_there(path),
            _ => format!("{}: {error}", path.display()),
        })?;
        if about.is_dir() {
            let mut walk = Walk::default();
            walk.whole(path)?;
            walk.found.sort_by(|a, b| a.path.cmp(&b.path));
            found.append(&mut walk.found);
            passed_over.append(&mut walk.passed_over);
        } else {
            let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            found.push(FoundFile { path: path.clone(), real, rank: Rank::Named });
        }
    }
    // Of several ways to one file that is taken which was named, else one without a link.
    let mut best: BTreeMap<&Path, usize> = BTreeMap::new();
    for (index, one) in found.iter().enumerate() {
        let taken = best.entry(&one.real).or_insert(index);
        if one.rank < found[*taken].rank {
            *taken = index;
        }
    }
    let taken: BTreeSet<usize> = best.into_values().collect();
    let files = taken.into_iter().map(|index| {
        let FoundFile { path, rank, .. } = &found[index];
        Selected { path: path.clone(), named: *rank == Rank::Named }
    });
    Ok(Selection { files: files.collect(), passed_over })
}

/// The file of the library that is called so, where nothing else is; with `library:` before it that
/// of the program's own, and without a name all of them.
fn of_the_library(name: &Path) -> Result<Option<PathBuf>, String> {
    let Some(text) = name.to_str().filter(|_| !name.exists()) else { return Ok(None) };
    let own = text.strip_prefix(PREFIX);
    let folder = match own {
        Some(_) => library::written()?,
        None if is_name(text) => library::folder()?,
        None => return Ok(None),
    };
    if own == Some("") {
        return Ok(Some(folder));
    }
    let stem = own.unwrap_or(text);
    let found =
        files_of(&folder).into_iter().find(|file| file.file_stem().is_some_and(|it| it == stem));
    match (found, own) {
        (None, Some(own)) => Err(not_in_library(own, &folder)),
        (found, _) => Ok(found),
    }
}

/// The files of a folder; none where it cannot be walked through.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut walk = Walk::default();
    let _ = walk.whole(folder);
    walk.found.into_iter().map(|found| found.path).collect()
}

fn not_in_library(name: &str, folder: &Path) -> String {
    let files = files_of(folder);
    let names = files.iter().filter_map(|file| file.file_stem()?.to_str());
    let near = nearest(name, names).map(|near| format!("did you mean `{PREFIX}{near}`?"));
    let help = near.unwrap_or_else(|| "`lastmeter list scenarios` lists it".to_owned());
    format!("the library has no scenario `{name}`; {help}")
}

/// Nothing is there: what may have been meant.
fn not_there(path: &Path) -> String {
    let shown = path.display();
    let folder = library::folder().unwrap_or_default();
    let (name, files) = (path.file_stem().and_then(|name| name.to_str()), files_of(&folder));
    let names = files.iter().filter_map(|file| file.file_stem()?.to_str());
    let near = name.and_then(|name| nearest(name, names));
    let help = match near {
        Some(near) => format!("; did you mean `{near}` of {LIBRARY}?"),
        None if files.is_empty() && path.extension().is_none() => format!(
            "; scenarios go by their names where {LIBRARY} lies, elsewhere give the path of a file"
        ),
        None => String::new(),
    };
    format!("{shown}: no such file or folder{help}")
}

/// How good a way to a file is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Named,
    Plain,
    Linked,
}

struct FoundFile {
    path: PathBuf,
    /// The file itself, whatever links lead to it.
    real: PathBuf,
    rank: Rank,
}

/// What the name of a file shows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Scenario,
    /// Like one that is left out, and why.
    LeftOut(&'static str),
    SomethingElse,
}

impl FileKind {
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        if !name.contains(".toml") {
            return Self::SomethingElse;
        }
        if name.starts_with(".#") || name.starts_with(".~lock") {
            return Self::LeftOut("the lock of an editor");
        }
        if name.starts_with('#') || name.ends_with('~') {
            return Self::LeftOut("the backup of an editor");
        }
        if name.starts_with('.') {
            Self::LeftOut("a hidden file")
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "toml") {
            Self::Scenario
        } else {
            Self::LeftOut("its name does not end in .toml")
        }
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// A walk through a folder and what it links to.
#[derive(Default)]
struct Walk {
    found: Vec<FoundFile>,
    passed_over: Vec<PassedOver>,
    /// Folders that were walked through, themselves: a link may lead back.
    walked: BTreeSet<PathBuf>,
    /// Links to folders. They are followed last, so that what lies in the folder itself is found
    /// where it lies.
    links: VecDeque<PathBuf>,
}

impl Walk {
    fn whole(&mut self, folder: &Path) -> Result<(), String> {
        self.folder(folder, Rank::Plain)?;
        while let Some(link) = self.links.pop_front() {
            self.folder(&link, Rank::Linked)?;
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, rank: Rank) -> Result<(), String> {
        let describe = |error: io::Error| format!("{}: {error}", folder.display());
        if !self.walked.insert(fs::canonicalize(folder).map_err(describe)?) {
            return Ok(());
        }
        for (path, name, kind) in entries(folder).map_err(describe)? {
            if kind.is_dir() {
                if is_hidden(&name) { self.hidden_folder(&path) } else { self.folder(&path, rank)? }
            } else if kind.is_symlink() {
                self.link(path, &name)?;
            } else {
                self.file(path, &name, kind.is_file(), rank)?;
            }
        }
        Ok(())
    }

    fn link(&mut self, path: PathBuf, name: &str) -> Result<(), String> {
        let looks = FileKind::of(name);
        match fs::metadata(&path).map(|about: Metadata| about.file_type()) {
            Ok(kind) if kind.is_dir() && is_hidden(name) => self.hidden_folder(&path),
            Ok(kind) if kind.is_dir() => self.links.push_back(path),
            Ok(kind) => return self.file(path, name, kind.is_file(), Rank::Linked),
            // As editors lock a file.
            Err(_) if is_hidden(name) => self.leave_out(&path, looks),
            Err(error) => {
                // Without an ending it may have been a folder.
                if looks == FileKind::Scenario || !name.contains('.') {
                    let path = path.display();
                    return Err(match error.kind() {
                        io::ErrorKind::PermissionDenied => format!("{path}: {error}"),
                        _ => format!("the link {path} leads nowhere"),
                    });
                }
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: PathBuf,
        name: &str,
        is_regular: bool,
        rank: Rank,
    ) -> Result<(), String> {
        match FileKind::of(name) {
            FileKind::Scenario if is_regular => {
                let real = fs::canonicalize(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                self.found.push(FoundFile { path, real, rank });
            }
            FileKind::Scenario => self.push(&path, "no regular file"),
            looks => self.leave_out(&path, looks),
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &Path, looks: FileKind) {
        if let FileKind::LeftOut(why) = looks {
            self.push(path, why);
        }
    }

    /// Hidden folders hold what tools keep for themselves; one that hides scenarios is named.
    fn hidden_folder(&mut self, folder: &Path) {
        match scenarios_below(folder) {
            0 => {}
            count => self.push(folder, &format!("a hidden folder with {}", plural(count, "file"))),
        }
    }

    fn push(&mut self, path: &Path, why: &str) {
        self.passed_over.push(PassedOver { path: path.display().to_string(), why: why.into() });
    }
}

/// What lies in a folder, by name.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, String, FileType)>> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok((entry.path(), name, entry.file_type()?))
    };
    let mut entries: Vec<_> = fs::read_dir(folder)?.map(entry).collect::<io::Result<_>>()?;
    entries.sort_by(|(a, _, _), (b, _, _)| a.cmp(b));
    Ok(entries)
}

/// How many files in a hidden folder look like scenarios, as far as it can be looked into; its
/// links are not followed.
fn scenarios_below(folder: &Path) -> usize {
    let (mut count, mut looked_at) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for (path, name, kind) in entries(&folder).unwrap_or_default() {
            looked_at += 1;
            if kind.is_dir() {
                folders.push(path);
            } else {
                count += usize::from(FileKind::of(&name) == FileKind::Scenario);
            }
        }
        if looked_at > HIDDEN_LOOKED_AT_MAX {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "format = 1\n").unwrap();
        }
        folder
    }

    /// The files found and what was passed over, relative to the folder.
    fn found(folder: &Path) -> (Vec<String>, Vec<String>) {
        let selection = select(&[folder.to_owned()]).unwrap();
        let start = format!("{}/", folder.display());
        let short = |path: &str| path.strip_prefix(&start).unwrap_or(path).to_owned();
        let files = selection.files.iter().map(|file| short(&file.path.display().to_string()));
        let left = selection.passed_over.iter();
        let left = left.map(|over| format!("{}: {}", short(&over.path), over.why));
        (files.collect(), left.collect())
    }

    #[test]
    fn any_case_and_any_depth_and_in_the_order_of_names() {
        let folder = folder_with(&["b.TOML", "a/z.Toml", "a/b/c.toml", "notes.md", "c.toml"]);
        let (files, left) = found(folder.path());
        assert_eq!(files, ["a/b/c.toml", "a/z.Toml", "b.TOML", "c.toml"]);
        assert_eq!(left, Vec::<String>::new());
    }

    #[test]
    fn what_looks_like_a_scenario_and_is_left_out_is_named() {
        let folder = folder_with(&[
            "a.toml",
            "a.toml~",
            "#a.toml#",
            ".a.toml.swp",
            ".b.toml",
            "c.toml.bak",
            "d.Toml.orig",
            "data.csv",
            ".drafts/x/y.toml",
            ".drafts/z.TOML",
            ".git/config",
        ]);
        symlink("me@machine.1234", folder.path().join(".#a.toml")).unwrap();
        let (files, left) = found(folder.path());
        assert_eq!(files, ["a.toml"]);
        assert_eq!(
            left,
            [
                "#a.toml#: the backup of an editor",
                ".#a.toml: the lock of an editor",
                ".a.toml.swp: a hidden file",
                ".b.toml: a hidden file",
                ".drafts: a hidden folder with 2 files",
                "a.toml~: the backup of an editor",
                "c.toml.bak: its name does not end in .toml",
                "d.Toml.orig: its name does not end in .toml",
            ]
        );
    }

    #[test]
    fn links_are_followed_and_each_file_is_found_once() {
        let elsewhere = folder_with(&["sub/far.toml", "single.toml"]);
        let folder = folder_with(&["near.toml", "inner/deep.toml"]);
        let link = |to: &Path, name: &str| symlink(to, folder.path().join(name)).unwrap();
        link(elsewhere.path(), "a-linked");
        link(&elsewhere.path().join("sub"), "z-again");
        link(&elsewhere.path().join("single.toml"), "one.toml");
        // Back to where they lie, and to what is found anyway.
        link(folder.path(), "inner/loop");
        link(&folder.path().join("near.toml"), "also.toml");
        let (files, left) = found(folder.path());
        let expected = ["a-linked/single.toml", "a-linked/sub/far.toml", "inner/deep.toml"];
        assert_eq!(files[..3], expected, "{files:?}");
        assert_eq!(files[3..], ["near.toml"], "{files:?}");
        assert_eq!(left, Vec::<String>::new());
        // Elsewhere links back into the folder: still an end.
        symlink(folder.path(), elsewhere.path().join("back")).unwrap();
        assert_eq!(found(folder.path()).0.len(), 4);
    }

    #[test]
    fn a_file_that_is_named_and_lies_in_a_folder_is_one() {
        let folder = folder_with(&["a.toml", "b.toml"]);
        let named = folder.path().join("b.toml");
        let paths = [folder.path().to_owned(), named.clone(), named.clone()];
        let files = select(&paths).unwrap().files;
        let found: Vec<(bool, bool)> =
            files.iter().map(|file| (file.named, file.path == named)).collect();
        assert_eq!(found, [(false, false), (true, true)]);
    }

    #[test]
    fn what_leads_nowhere_is_an_error_unless_it_cannot_have_been_a_scenario() {
        for (name, is_error) in [
            ("moved.toml", true),
            ("MOVED.TOML", true),
            ("subfolder", true),
            ("latest.log", false),
            (".cache", false),
        ] {
            let folder = folder_with(&["a.toml"]);
            symlink("nowhere", folder.path().join(name)).unwrap();
            let selected = select(&[folder.path().to_owned()]);
            assert_eq!(selected.is_err(), is_error, "{name}");
        }
        let folder = folder_with(&["a.toml"]);
        symlink("round.toml", folder.path().join("round.toml")).unwrap();
        let error = select(&[folder.path().to_owned()]).unwrap_err();
        assert!(error.ends_with("round.toml leads nowhere"), "{error}");
        assert!(select(&[folder.path().join("none")]).unwrap_err().contains("no such file"));
    }
}
