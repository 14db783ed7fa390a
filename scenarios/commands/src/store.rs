//! `lastmeter store`: a platform's data while it does not run: looked at, backed up, restored,
//! exported and imported; and `lastmeter audit`, of which the former is a part.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use lastmeter_bench::output::{broken, complain, print_err, print_out};
use lastmeter_bench::run::chain;
use lastmeter_platform::maintenance::{
    DataFolder, Extent, Transferred, Verified, backups_in, restore,
};
use lastmeter_platform::{Config, Manifest, PlatformError, TenantName};
use lastmeter_reports::ExitCode;
use serde_json::{Value, json};

use crate::log::log_to_stderr;
use crate::serve::read_table;

/// Counts changes of what `--json` prints.
const FORMAT_VERSION: u32 = 1;
/// Hexadecimal digits of a hash that people are shown.
const HASH_SHOWN: usize = 16;

/// Whose data it is.
#[derive(Clone, Debug, Args)]
pub struct Whose {
    /// Settings of the platform as TOML, as `serve` has them; needed for a store in PostgreSQL
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One tenant alone
    #[arg(long, value_name = "NAME", value_parser = |text: &str| TenantName::new(text))]
    tenant: Option<TenantName>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What is done with the audit.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Compute the chain of each audit again, and compare it with the store and the head
    #[command(after_help = "Examples:
  lastmeter audit verify platform-data
  lastmeter audit verify --config platform.toml --tenant b --json

Exit codes: 0 every row fits, 1 one does not or is missing, 2 bad command line, 3 something could
not be read, 4 there is no tenant. The platform must not run meanwhile.")]
    Verify {
        /// Folder of the platform's data
        data: Option<PathBuf>,
        /// Whose data it is
        #[command(flatten)]
        whose: Whose,
    },
}

/// Where the data is.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Folder of the platform's data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Whose data it is
    #[command(flatten)]
    whose: Whose,
}

/// What readings are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Readings {
    /// A message a line, with all that it had
    Json,
    /// A value a line, without metadata
    Csv,
}

/// What is done with the data.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreCommand {
    /// Look at everything that is stored: checksums, counts, gaps, the journal, the audit
    #[command(after_help = "Example:\n  lastmeter store verify --data platform-data")]
    Verify {
        /// Where the data is
        #[command(flatten)]
        place: Place,
    },
    /// Write a backup of each tenant into a folder of its name
    #[command(after_help = "Example:
  lastmeter store backup --data platform-data --to /mnt/backups/monday

Beside a running platform: POST /api/v1/jobs with `{\"kind\": \"backup\"}`.")]
    Backup {
        /// Where the data is
        #[command(flatten)]
        place: Place,
        /// Folder of the backups
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Put a backup in the place of its tenant, after everything in it was verified
    #[command(after_help = "Example:
  lastmeter store restore --from /mnt/backups/monday --data platform-data")]
    Restore {
        /// Where the data is
        #[command(flatten)]
        place: Place,
        /// Folder of a backup, or of several
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Move a tenant that is there into `removed`
        #[arg(long)]
        replace: bool,
    },
    /// Write documents, devices, readings and alerts of a tenant as files that any store takes
    #[command(after_help = "Example:
  lastmeter store export --data platform-data --to exported

The tenant is `default` unless --tenant names another. The documents of users and credentials hold
hashes of their secrets.")]
    Export {
        /// Where the data is
        #[command(flatten)]
        place: Place,
        /// Folder of the files, empty or not there
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// What readings are written as
        #[arg(long, value_enum, default_value_t = Readings::Json)]
        readings: Readings,
    },
    /// Take in what an export wrote; what is there already is left out
    #[command(after_help = "Example:
  lastmeter store import --config postgres.toml --from exported

The tenant is `default` unless --tenant names another.")]
    Import {
        /// Where the data is
        #[command(flatten)]
        place: Place,
        /// Folder of the files
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
}

/// Why a command ended early.
enum Ended {
    /// What was asked for cannot be.
    Input(String),
    Platform(PlatformError),
}

impl From<PlatformError> for Ended {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl Ended {
    fn report(&self) -> ExitCode {
        match self {
            Self::Input(why) => complain(why),
            Self::Platform(error) => match error {
                PlatformError::Config(_) | PlatformError::Unusable { .. } => {
                    complain(&chain(error))
                }
                PlatformError::DamagedBackup { .. } => {
                    print_err(&format!("error: {}", chain(error)));
                    ExitCode::Failed
                }
                _ => broken(&chain(error)),
            },
        }
    }
}

/// Does something with the audit and returns the exit code.
pub fn audit(command: &AuditCommand) -> ExitCode {
    let AuditCommand::Verify { data, whose } = command;
    run(async { verify((data.as_deref(), whose), Extent::Audit).await })
}

/// Does something with the data and returns the exit code.
pub fn store(command: &StoreCommand) -> ExitCode {
    run(async {
        match command {
            StoreCommand::Verify { place } => verify(of(place), Extent::Everything).await,
            StoreCommand::Backup { place, to } => back_up(of(place), to).await,
            StoreCommand::Restore { place, from, replace } => put_back(of(place), from, *replace),
            StoreCommand::Export { place, to, readings } => {
                let (folder, name) = one(of(place))?;
                let done = folder.export(&name, to, *readings == Readings::Csv).await?;
                Ok(show_transferred(&done, ("exported", &name, to), place.whose.json))
            }
            StoreCommand::Import { place, from } => {
                let (folder, name) = one(of(place))?;
                let done = folder.import(&name, from).await?;
                Ok(show_transferred(&done, ("imported", &name, from), place.whose.json))
            }
        }
    })
}

type Asked<'a> = (Option<&'a Path>, &'a Whose);

fn of(place: &Place) -> Asked<'_> {
    (place.data.as_deref(), &place.whose)
}

fn run(work: impl Future<Output = Result<ExitCode, Ended>>) -> ExitCode {
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken(&format!("the runtime did not start: {error}")),
    };
    runtime.block_on(work).unwrap_or_else(|ended| ended.report())
}

fn settings((data, whose): Asked<'_>) -> Result<Config, Ended> {
    let mut table = match &whose.config {
        Some(path) => read_table(path).map_err(Ended::Input)?,
        None => toml::Table::new(),
    };
    if let Some(data) = data {
        table.insert("data".to_owned(), data.display().to_string().into());
    }
    if !table.contains_key("data") {
        let why = "where the data lies is not given: name its folder, or use --config with `data`";
        return Err(Ended::Input(why.to_owned()));
    }
    Config::from_toml(&table.to_string()).map_err(|error| Ended::Input(chain(&error)))
}

/// The data folder, and the one tenant of an export or import.
fn one(asked: Asked<'_>) -> Result<(DataFolder, TenantName), Ended> {
    let folder = DataFolder::open(settings(asked)?)?;
    let name = asked.1.tenant.clone().unwrap_or_default();
    if name != TenantName::default() {
        there(&folder, &name)?;
    }
    Ok((folder, name))
}

fn there(folder: &DataFolder, name: &TenantName) -> Result<(), Ended> {
    if folder.tenants()?.contains(name) {
        return Ok(());
    }
    Err(Ended::Input(format!("--tenant: there is no tenant `{name}` in the data folder")))
}

/// The data folder, and the tenants that are meant.
fn all(asked: Asked<'_>) -> Result<(DataFolder, Vec<TenantName>), Ended> {
    let folder = DataFolder::open(settings(asked)?)?;
    let names = match &asked.1.tenant {
        Some(name) => {
            there(&folder, name)?;
            vec![name.clone()]
        }
        None => folder.tenants()?,
    };
    Ok((folder, names))
}

async fn verify(asked: Asked<'_>, extent: Extent) -> Result<ExitCode, Ended> {
    let (folder, names) = all(asked)?;
    let (mut codes, mut shown) = (Vec::new(), Vec::new());
    for name in names {
        match folder.verify(&name, extent).await {
            Ok(found) => {
                let is_sound = found.findings.is_empty();
                codes.push(if is_sound { ExitCode::Passed } else { ExitCode::Failed });
                if !asked.1.json {
                    show_verified(&found, extent);
                }
                shown.push(json!(found));
            }
            Err(error) => {
                codes.push(ExitCode::Broken);
                print_err(&format!("error: tenant `{name}`: {}", chain(&error)));
                shown.push(json!({ "tenant": name.as_str(), "error": chain(&error) }));
            }
        }
    }
    if asked.1.json {
        print_json("tenants", shown);
    } else if codes.is_empty() {
        print_out("there is no tenant in the data folder");
    }
    Ok(if codes.is_empty() { ExitCode::NothingEvaluated } else { ExitCode::worst_of(codes) })
}

fn print_json(name: &str, what: impl Into<Value>) {
    print_out(&json!({ "format_version": FORMAT_VERSION, name: what.into() }).to_string());
}

fn show_verified(found: &Verified, extent: Extent) {
    let Verified { tenant, rows, audit, findings, further, notes } = found;
    if extent == Extent::Everything {
        print_out(&format!("{tenant}: {}", counted(rows)));
    }
    let (count, hash) = (audit.rows, &audit.hash[..HASH_SHOWN.min(audit.hash.len())]);
    let head = audit.head_rows;
    print_out(&format!("{tenant}: {count} audit rows fit, up to {hash}; the head knows of {head}"));
    for note in notes {
        print_out(&format!("{tenant}: note: {note}"));
    }
    for finding in findings {
        print_out(&format!("{tenant}: {} {}: {}", finding.kind, finding.place, finding.detail));
    }
    if *further > 0 {
        print_out(&format!("{tenant}: {further} further damaged parts"));
    }
}

fn counted(rows: &std::collections::BTreeMap<String, u64>) -> String {
    rows.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

async fn back_up(asked: Asked<'_>, to: &Path) -> Result<ExitCode, Ended> {
    let (folder, names) = all(asked)?;
    let mut made = Vec::new();
    for name in names {
        let to = to.join(name.as_str());
        made.push((folder.back_up(&name, &to).await?, to));
    }
    Ok(show_backups(&made, "backed up", asked.1.json))
}

fn put_back(asked: Asked<'_>, from: &Path, replaces: bool) -> Result<ExitCode, Ended> {
    let config = settings(asked)?;
    let mut made = Vec::new();
    for path in backups_in(from)? {
        let is_meant = |name: &TenantName| path.file_name() == Some(name.as_str().as_ref());
        if asked.1.tenant.as_ref().is_none_or(|name| path == from || is_meant(name)) {
            made.push((restore(config.clone(), &path, replaces)?, path));
        }
    }
    Ok(show_backups(&made, "restored", asked.1.json))
}

fn show_backups(made: &[(Manifest, PathBuf)], done: &str, is_json: bool) -> ExitCode {
    if is_json {
        let shown = made.iter().map(
            |(manifest, path)| json!({ "path": path.display().to_string(), "backup": manifest }),
        );
        print_json("backups", shown.collect::<Vec<_>>());
    } else {
        for (manifest, path) in made {
            let (tenant, rows) = (&manifest.tenant, counted(&manifest.rows));
            print_out(&format!("{tenant}: {done}, {}: {rows}", path.display()));
        }
    }
    if made.is_empty() { ExitCode::NothingEvaluated } else { ExitCode::Passed }
}

fn show_transferred(
    done: &Transferred,
    (word, name, path): (&str, &TenantName, &Path),
    is_json: bool,
) -> ExitCode {
    if is_json {
        print_json(word, json!(done));
    } else {
        let rows = counted(&done.rows);
        print_out(&format!("{name}: {word}, {}: {rows}", path.display()));
        if done.repeated + done.refused > 0 {
            let (repeated, refused) = (done.repeated, done.refused);
            print_out(&format!("{name}: {repeated} were there already, {refused} were refused"));
        }
        for one in &done.refusals {
            print_out(&format!("{name}: refused: {}: {}", one.place, one.why));
        }
    }
    if done.refused == 0 { ExitCode::Passed } else { ExitCode::Failed }
}
