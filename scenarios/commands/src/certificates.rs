//! Certificates for a platform and its devices, as files: an authority that is made once, and what
//! it signs.
//!
//! In the folder lie `authority.pem` and `authority.key`, `server.pem` and `server.key`, and for
//! each device `device-ID.pem` and `device-ID.key`, the hardware id percent-encoded where a file
//! name cannot hold it. Keys are readable by their owner only. An authority that is there is used
//! and never replaced; what it signs is made anew whenever it is asked for.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use lastmeter_bench::output::{broken, complain, print_out};
use lastmeter_bench::run::chain;
use lastmeter_link::tls::{Authority, Identity, TlsError, Validity};
use lastmeter_reports::ExitCode;

/// What `lastmeter certificates` is asked with.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Examples:
  lastmeter certificates tls --server localhost,127.0.0.1 --device home-1 --device home-2
  lastmeter certificates tls --device home-1 --expired")]
pub struct CertificatesOptions {
    /// Folder of the files; an authority that is there is used, else one is made
    pub folder: PathBuf,
    /// Make the platform's certificate, for these names and addresses
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub server: Vec<String>,
    /// Make the certificate of the device with this hardware id
    #[arg(long = "device", value_name = "ID")]
    pub devices: Vec<String>,
    /// How long the certificates are valid
    #[arg(long, value_name = "DAYS", default_value_t = 397)]
    pub days: u32,
    /// Make certificates whose time is over, to see them refused
    #[arg(long, conflicts_with = "days")]
    pub expired: bool,
}

#[derive(Debug, thiserror::Error)]
enum CertificatesError {
    #[error("{path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is there without {missing}; put it back, or take another folder")]
    Half { path: PathBuf, missing: &'static str },
    #[error("{0}")]
    Tls(String, #[source] TlsError),
}

const AUTHORITY: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority.key";

/// Creates what was asked for, prints the names of the files and returns the exit code.
pub fn certificates(options: &CertificatesOptions) -> ExitCode {
    match make(options) {
        Ok(files) => {
            for file in files {
                print_out(&file.display().to_string());
            }
            ExitCode::Passed
        }
        Err(error) => {
            let message = chain(&error);
            match error {
                CertificatesError::File { .. } => broken(&message),
                _ => complain(&message),
            }
        }
    }
}

/// Returns the files written, in order.
fn make(options: &CertificatesOptions) -> Result<Vec<PathBuf>, CertificatesError> {
    let folder = &options.folder;
    fs::create_dir_all(folder)
        .map_err(|source| CertificatesError::File { path: folder.clone(), source })?;
    let mut files = Vec::new();
    let authority = authority(folder, &mut files)?;
    let validity = if options.expired {
        Validity::expired()
    } else {
        Validity::from_now(Duration::from_hours(24 * u64::from(options.days)))
    };
    if !options.server.is_empty() {
        let names: Vec<&str> = options.server.iter().map(String::as_str).collect();
        let made = authority.issue_server_valid(&names, validity);
        let made = made.map_err(|e| CertificatesError::Tls("the server".to_owned(), e))?;
        write_identity(folder, "server", &made, &mut files)?;
    }
    for device in &options.devices {
        let made = authority.issue_device_valid(device, validity);
        let made = made.map_err(|e| CertificatesError::Tls(format!("device {device:?}"), e))?;
        write_identity(folder, &format!("device-{}", file_name(device)), &made, &mut files)?;
    }
    Ok(files)
}

/// The authority of the folder; a new one if there is none.
fn authority(folder: &Path, files: &mut Vec<PathBuf>) -> Result<Authority, CertificatesError> {
    let (path, key_path) = (folder.join(AUTHORITY), folder.join(AUTHORITY_KEY));
    match (read(&path)?, read(&key_path)?) {
        (Some(certificate), Some(key)) => Authority::from_pem(&certificate, &key)
            .map_err(|error| CertificatesError::Tls(path.display().to_string(), error)),
        (Some(_), None) => Err(CertificatesError::Half { path, missing: AUTHORITY_KEY }),
        (None, Some(_)) => Err(CertificatesError::Half { path: key_path, missing: AUTHORITY }),
        (None, None) => {
            let made = Authority::generate("lastmeter authority")
                .map_err(|error| CertificatesError::Tls("an authority".to_owned(), error))?;
            write(&key_path, &made.key_pem(), 0o600, files)?;
            write(&path, made.certificate_pem(), 0o644, files)?;
            Ok(made)
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, CertificatesError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CertificatesError::File { path: path.to_owned(), source }),
    }
}

fn write_identity(
    folder: &Path,
    name: &str,
    identity: &Identity,
    files: &mut Vec<PathBuf>,
) -> Result<(), CertificatesError> {
    write(&folder.join(format!("{name}.key")), &identity.key_pem, 0o600, files)?;
    write(&folder.join(format!("{name}.pem")), &identity.certificate_pem, 0o644, files)
}

/// Writes a file whole or not at all, with its rights from the first byte on.
fn write(
    path: &Path,
    text: &str,
    mode: u32,
    files: &mut Vec<PathBuf>,
) -> Result<(), CertificatesError> {
    let written = || {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        // Left over by one that was interrupted; with its rights, whatever they were.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().map_err(|source| CertificatesError::File { path: path.to_owned(), source })?;
    files.push(path.to_owned());
    Ok(())
}

/// A hardware id as part of a file name.
fn file_name(id: &str) -> String {
    use std::fmt::Write as _;
    id.bytes().fold(String::new(), |mut name, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            name.push(char::from(byte));
        } else {
            // Writing into memory does not fail.
            let _ = write!(name, "%{byte:02X}");
        }
        name
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn options(folder: &Path) -> CertificatesOptions {
        CertificatesOptions {
            folder: folder.to_owned(),
            server: vec!["localhost".into(), "127.0.0.1".into()],
            devices: vec!["home-1".into(), "Zähler 7".into()],
            days: 30,
            expired: false,
        }
    }

    #[test]
    fn the_authority_is_kept_and_keys_are_their_owners() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("made/on/the/way");
        let names = |files: Vec<PathBuf>| -> Vec<String> {
            let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            files.into_iter().map(name).collect()
        };
        let signed = [
            "server.key",
            "server.pem",
            "device-home-1.key",
            "device-home-1.pem",
            "device-Z%C3%A4hler%207.key",
            "device-Z%C3%A4hler%207.pem",
        ];
        let first = make(&options(&folder)).unwrap();
        assert_eq!(names(first), [&["authority.key", "authority.pem"], &signed[..]].concat());
        let authority = fs::read_to_string(folder.join(AUTHORITY)).unwrap();
        let device = fs::read_to_string(folder.join("device-home-1.pem")).unwrap();
        // Interrupted in the midst of it.
        fs::write(folder.join("server.key.new"), "x").unwrap();
        assert_eq!(names(make(&options(&folder)).unwrap()), signed);
        assert_eq!(fs::read_to_string(folder.join(AUTHORITY)).unwrap(), authority);
        assert_ne!(fs::read_to_string(folder.join("device-home-1.pem")).unwrap(), device);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let is_key = path.extension().is_some_and(|extension| extension == "key");
            assert_eq!(mode, if is_key { 0o600 } else { 0o644 }, "{} {mode:o}", path.display());
        }
    }

    #[test]
    fn half_an_authority_and_names_that_are_none_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        make(&CertificatesOptions { devices: vec![], server: vec![], ..options(folder.path()) })
            .unwrap();
        let bad = CertificatesOptions { server: vec!["a b".into()], ..options(folder.path()) };
        assert!(chain(&make(&bad).unwrap_err()).contains("\"a b\""));
        let bad = CertificatesOptions { devices: vec![String::new()], ..options(folder.path()) };
        assert!(chain(&make(&bad).unwrap_err()).contains("device \"\""));
        fs::remove_file(folder.path().join(AUTHORITY_KEY)).unwrap();
        let message = chain(&make(&options(folder.path())).unwrap_err());
        assert!(message.contains("authority.pem is there without authority.key"), "{message}");
    }
}
