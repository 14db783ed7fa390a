//! A PostgreSQL server of a test's own, in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A running server; it stops when it is dropped.
pub(crate) struct Server {
    binaries: PathBuf,
    folder: TempDir,
}

/// Starts a server that only a socket leads to; with `fsync` it survives more than a test needs.
/// `None`, with a printed reason, where the binaries are missing and need not be there.
pub(crate) fn postgres_for_tests(fsync: bool) -> Option<Server> {
    let Some(binaries) = binaries() else {
        let reason = "PostgreSQL's binaries are not in /usr/lib/postgresql/*/bin; \
                      tests/setup databases installs them";
        let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
        let is_required = required.split(',').any(|tier| ["all", "peers"].contains(&tier));
        assert!(!is_required, "{reason}");
        println!("SKIPPED: {reason}");
        return None;
    };
    let folder = tempfile::Builder::new().prefix("lm-pg-").tempdir().unwrap();
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    let server = Server { binaries, folder };
    let data = server.data();
    run(server
        .command("initdb")
        .args(["-A", "trust", "-E", "UTF8", "--no-sync", "--data-checksums"])
        .args(["--locale", "C", "-U", "lastmeter", "-D"])
        .arg(&data));
    let socket = server.folder.path().display();
    let settings = format!(
        "listen_addresses = ''\nunix_socket_directories = '{socket}'\nmax_connections = 40\n\
         shared_buffers = 16MB\nmax_wal_size = 256MB\nrecovery_init_sync_method = syncfs\nfsync = {}\n",
        if fsync { "on" } else { "off" }
    );
    let path = server.folder.path().join("settings.conf");
    std::fs::write(&path, settings).unwrap();
    let include = format!("include '{}'", path.display());
    run(server
        .command("sh")
        .args(["-c", "printf '%s\\n' \"$1\" >> \"$2\"/postgresql.conf", "sh"])
        .arg(include)
        .arg(&data));
    server.control(&["start"]);
    Some(server)
}

/// The newest binaries there are.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders.filter(|folder| folder.join("initdb").is_file()).max()
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{command:?}: {}{}", words[0], words[1]);
    output
}

impl Server {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL, as a user it does not refuse.
    fn command(&self, name: &str) -> Command {
        let path = self.binaries.join(name);
        let program = if path.is_file() { path } else { Path::new(name).to_owned() };
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }

    /// Has `pg_ctl` do something, and waits until it is done.
    pub(crate) fn control(&self, what: &[&str]) {
        let log = self.folder.path().join("data/server.log");
        run(self
            .command("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(log)
            .arg("-w")
            .args(what));
    }

    /// How the store connects.
    pub(crate) fn connection(&self) -> String {
        format!("host={} user=lastmeter dbname=postgres", self.folder.path().display())
    }

    /// Starts it again with further settings.
    pub(crate) fn restart_with(&self, settings: &str) {
        let path = self.folder.path().join("settings.conf");
        let all = std::fs::read_to_string(&path).unwrap() + settings;
        std::fs::write(&path, all).unwrap();
        self.control(&["-m", "fast", "restart"]);
    }

    /// Writes a file that only the server's user reads; its path.
    pub(crate) fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.data().join(name);
        let script = "umask 077; printf '%s' \"$1\" > \"$2\"";
        run(self.command("sh").args(["-c", script, "sh", text]).arg(&path));
        path
    }

    /// The server's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// Runs SQL; the answer is what `psql` prints without its frame.
    pub(crate) fn psql(&self, sql: &str) -> String {
        let host = self.folder.path().to_owned();
        let arguments = ["-X", "-q", "-A", "-t", "-U", "lastmeter", "-d", "postgres", "-c", sql];
        let output = run(self.command("psql").arg("-h").arg(host).args(arguments));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = self
            .command("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .args(["-m", "immediate", "stop"])
            .output();
        if let Err(error) = stopped {
            println!("the test's PostgreSQL server could not be stopped: {error}");
        }
    }
}
