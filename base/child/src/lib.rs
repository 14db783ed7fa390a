//! Programs of others as children: each request is a line to their standard input, each answer a
//! line from their standard output, and each wait for one has a limit.
//!
//! What a child does wrong is a [`Failure`] that names it: it cannot be started, ends before it
//! should, is late, writes a line that nobody asked for, one that is too long, or one that is no
//! text. Behind a failure, and when it is dropped, the child and all that it has started are
//! killed. A child may be stopped, flood its output or not read its input: none of that blocks
//! whoever asks beyond the limit.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// Longest line that a child may write, in bytes.
pub const LINE_MAX: usize = 16 * 1024 * 1024;

/// Lines that a child may be ahead before nothing more is read of it.
const LINES_AHEAD: usize = 4;

/// How long is waited for the end of what has closed its output, and for output of what has ended.
const SILENCE: Duration = Duration::from_millis(200);
/// How often is looked whether a child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// So much of what a child wrote to standard error is shown, in bytes.
const WORDS_MAX: usize = 600;

/// How long a child may take to end by itself once its input is closed.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What runs it, with its options; empty if it runs by itself.
    pub with: Vec<String>,
    /// The name of its file.
    pub name: String,
    /// What is in its file, which is written anew for each child.
    pub text: String,
    /// The folder that it starts in.
    pub folder: PathBuf,
    /// How long an answer may take.
    pub within: Duration,
}

impl Program {
    /// Writes it where it can be run.
    fn write(&self, place: &Path) -> io::Result<PathBuf> {
        let file = place.join(Path::new(&self.name).file_name().unwrap_or("program".as_ref()));
        fs::write(&file, &self.text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700))?;
        Ok(file)
    }
}

/// `python3 meter.py`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for word in &self.with {
            write!(f, "{word} ")?;
        }
        f.write_str(&self.name)
    }
}

/// What a child did wrong.
#[derive(Debug, thiserror::Error)]
#[error("`{program}` {what}{words}")]
pub struct Failure {
    program: String,
    what: FailureKind,
    /// What it wrote last to standard error, if anything.
    words: String,
}

#[derive(Debug, thiserror::Error)]
enum FailureKind {
    #[error("cannot be started: {0}")]
    NotStarted(io::Error),
    #[error("has ended ({0}) where an answer was due")]
    Ended(String),
    #[error("has answered, and then ended by an error ({0})")]
    EndedBadly(String),
    /// Its output has ended; why is found out later.
    #[error("has closed its output")]
    Closed,
    #[error("has not answered within {0:?}")]
    Late(Duration),
    #[error("wrote a line that nobody had asked for: {0}")]
    Unasked(String),
    #[error("wrote a line of more than {LINE_MAX} bytes")]
    TooLong,
    #[error("wrote a line that is no text")]
    NoText,
    #[error("cannot be written to: {0}")]
    Input(io::Error),
}

/// A program that runs.
#[derive(Debug)]
pub struct Child {
    program: Program,
    /// Where its file is, for as long as it runs.
    place: TempDir,
    process: std::process::Child,
    requests: Option<SyncSender<String>>,
    answers: Receiver<Result<String, FailureKind>>,
    /// The end of what it wrote to standard error.
    words: Arc<Mutex<String>>,
    /// Set once it has done something wrong.
    is_gone: bool,
}

impl Child {
    /// Starts a program. What it writes to standard error is shown with a failure, its end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Program) -> Result<Self, Failure> {
        let failed = |error| Failure {
            program: program.to_string(),
            what: FailureKind::NotStarted(error),
            words: String::new(),
        };
        let place = tempfile::tempdir().map_err(failed)?;
        let file = program.write(place.path()).map_err(failed)?;
        let mut command = match program.with.split_first() {
            Some((name, options)) => {
                let mut command = Command::new(name);
                command.args(options).arg(&file);
                command
            }
            None => Command::new(&file),
        };
        command.current_dir(&program.folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (requests, to_write) = sync_channel::<String>(1);
        let (read, answers) = sync_channel(LINES_AHEAD);
        let broken = |what| failed(io::Error::other(what));
        let mut input = child.stdin.take().ok_or_else(|| broken("no standard input"))?;
        let output = child.stdout.take().ok_or_else(|| broken("no standard output"))?;
        let words = Arc::new(Mutex::new(String::new()));
        if let Some(errors) = child.stderr.take() {
            let words = Arc::clone(&words);
            thread::spawn(move || keep_end(errors, &words));
        }
        let failures = read.clone();
        thread::spawn(move || {
            for line in to_write {
                let written = input.write_all(line.as_bytes()).and_then(|()| input.flush());
                if let Err(error) = written {
                    // That it has ended is found by the other thread.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        let _ = failures.send(Err(FailureKind::Input(error)));
                    }
                    break;
                }
            }
        });
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let line = next_line(&mut output);
                let line = line.unwrap_or(Err(FailureKind::Closed));
                let is_last = line.is_err();
                if read.send(line).is_err() || is_last {
                    break;
                }
            }
        });
        let program = program.clone();
        Ok(Self {
            program,
            place,
            process: child,
            requests: Some(requests),
            answers,
            words,
            is_gone: false,
        })
    }

    /// Asks with one line and waits for the line that answers.
    ///
    /// # Errors
    /// What the child did wrong; it is killed then, and answers nothing more.
    pub fn ask(&mut self, request: &str) -> Result<String, Failure> {
        let asked = if self.is_gone {
            Err(FailureKind::Ended("after its first failure".to_owned()))
        } else {
            self.exchange(request)
        };
        asked.map_err(|what| self.failed(what))
    }

    /// Kills it for what it did wrong.
    fn failed(&mut self, what: FailureKind) -> Failure {
        self.is_gone = true;
        self.kill();
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        // Its file lies somewhere else each time.
        let own = self.place.path().display().to_string() + "/";
        let words = one_line(&words.replace(&own, ""), WORDS_MAX);
        let words = if words.is_empty() { words } else { format!("; it wrote: {words}") };
        Failure { program: self.program.to_string(), what, words }
    }

    fn exchange(&mut self, request: &str) -> Result<String, FailureKind> {
        // A line that came before the question is no answer to it.
        match self.answers.try_recv() {
            Ok(Err(FailureKind::Closed)) => return Err(self.silence()),
            Ok(line) => return Err(FailureKind::Unasked(shortened(&line?))),
            Err(_) => {}
        }
        let Some(requests) = &self.requests else {
            return Err(FailureKind::Ended("its input is closed".to_owned()));
        };
        // The writer waits for the child alone, and takes the next line when that is read.
        let is_early = match requests.try_send(format!("{request}\n")) {
            Ok(()) => false,
            // The question before was answered, although nobody has read it yet.
            Err(TrySendError::Full(_)) => true,
            Err(TrySendError::Disconnected(_)) => return Err(self.silence()),
        };
        match self.answers.recv_timeout(self.program.within) {
            Err(RecvTimeoutError::Timeout) => Err(FailureKind::Late(self.program.within)),
            Ok(Err(FailureKind::Closed)) | Err(RecvTimeoutError::Disconnected) => {
                Err(self.silence())
            }
            Ok(Ok(line)) if is_early => Err(FailureKind::Unasked(shortened(&line))),
            Ok(line) => line,
        }
    }

    /// Why nothing comes any more.
    fn silence(&mut self) -> FailureKind {
        match self.ended_within(SILENCE) {
            Some(status) => FailureKind::Ended(status.to_string()),
            None => FailureKind::Ended("its output is closed".to_owned()),
        }
    }

    /// Closes the child's input and waits a little for it to end, which is what it should do. One
    /// that goes on is ended.
    ///
    /// # Errors
    /// If it wrote more than it was asked for, or ended by an error.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.requests = None;
        let status = self.ended_within(END_WITHIN.min(self.program.within));
        // What has ended has closed its output, unless something that it started has it too.
        let more = match status {
            Some(_) => self.answers.recv_timeout(SILENCE),
            None => self.answers.try_recv().map_err(|_| RecvTimeoutError::Timeout),
        };
        let what = match (more, status) {
            (Ok(Err(FailureKind::Closed)) | Err(_), None) => return Ok(()),
            (Ok(Err(FailureKind::Closed)) | Err(_), Some(status)) if status.success() => {
                return Ok(());
            }
            (Ok(Err(FailureKind::Closed)) | Err(_), Some(status)) => {
                FailureKind::EndedBadly(status.to_string())
            }
            (Ok(Err(what)), _) => what,
            (Ok(Ok(line)), _) => FailureKind::Unasked(shortened(&line)),
        };
        Err(self.failed(what))
    }

    /// How it has ended, if it does within some time.
    fn ended_within(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let looks = limit.as_nanos() / LOOK_EVERY.as_nanos();
        for _ in 0..=looks {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            thread::sleep(LOOK_EVERY);
        }
        None
    }

    /// Kills it with all that it has started.
    fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.requests = None;
        self.kill();
    }
}

/// Reads all that is written, and keeps the end of it.
fn keep_end(mut errors: impl io::Read, words: &Mutex<String>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = errors.read(&mut bytes) {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let mut from = words.len().saturating_sub(WORDS_MAX);
        while !words.is_char_boundary(from) {
            from += 1;
        }
        words.drain(..from);
    }
}

/// The next line without its end; `None` at the end of what is written.
fn next_line(output: &mut BufReader<impl io::Read>) -> Option<Result<String, FailureKind>> {
    let mut bytes = Vec::new();
    let read = output.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut bytes);
    if read.ok()? == 0 {
        return None;
    }
    if bytes.len() > LINE_MAX {
        return Some(Err(FailureKind::TooLong));
    }
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Some(String::from_utf8(bytes).map_err(|_| FailureKind::NoText))
}

/// The beginning of a line, for a message.
fn shortened(line: &str) -> String {
    one_line(line, 80)
}

/// Text of a program on one line without control characters, which terminals and engines obey; of
/// more bytes than `most` the beginning.
pub fn one_line(text: &str, most: usize) -> String {
    let plain = |line: &str| line.replace(char::is_control, " ").trim().to_owned();
    let lines: Vec<String> = text.lines().map(plain).filter(|line| !line.is_empty()).collect();
    let mut line = lines.join(" | ");
    if line.len() > most {
        line.truncate(line.floor_char_boundary(most));
        line.push_str("...");
    }
    line
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "how long a failure takes is what is tested")]
mod tests {
    use std::time::Instant;

    use super::*;

    fn program(script: &str, within_ms: u64) -> Program {
        Program {
            with: vec!["sh".to_owned()],
            name: "own.sh".to_owned(),
            text: script.to_owned(),
            folder: PathBuf::from("/"),
            within: Duration::from_millis(within_ms),
        }
    }

    fn child(script: &str, within_ms: u64) -> Child {
        Child::start(&program(script, within_ms)).unwrap()
    }

    #[test]
    fn each_line_is_answered_by_one() {
        let mut echo = child("while read line; do echo \"got $line\"; done", 10_000);
        assert_eq!(echo.ask("one").unwrap(), "got one");
        assert_eq!(echo.ask("two").unwrap(), "got two");
        echo.finish().unwrap();
    }

    #[test]
    fn what_a_child_does_wrong_names_it_and_comes_in_time() {
        for (script, expected) in [
            ("sleep 60", "` has not answered within 1.5s"),
            ("kill -STOP $$", "` has not answered within 1.5s"),
            ("exit 7", "` has ended (exit status: 7) where an answer was due"),
            ("echo no licence >&2; sleep 60", "within 1.5s; it wrote: no licence"),
            ("kill -9 $$", "` has ended (signal: 9"),
            ("read line; exec 1>&-; sleep 60", "` has ended (its output is closed)"),
            ("read line; printf '\\377\\n'", "` wrote a line that is no text"),
            ("head -c 17000000 /dev/zero | tr '\\0' x; sleep 60", "` wrote a line of more than"),
        ] {
            let is_late = expected.contains("1.5s");
            let mut child = child(script, if is_late { 1_500 } else { 30_000 });
            let began = Instant::now();
            let error = child.ask("question").expect_err(script).to_string();
            assert!(error.starts_with("`sh own.sh`") && error.contains(expected), "{error}");
            assert!(began.elapsed() < Duration::from_secs(20), "{script}");
            assert!(child.ask("again").is_err());
        }
    }

    #[test]
    fn a_flood_is_stopped_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        let script = format!(
            "(while true; do date +%s%N > {0}; sleep 0.05; done) & yes flood",
            alive.display()
        );
        let mut child = child(&script, 2_000);
        // A line of a flood may be taken for an answer, until one comes before it is asked for.
        let error = (0..10_000).find_map(|_| child.ask("question").err()).unwrap();
        assert!(error.to_string().contains("nobody had asked for: flood"), "{error}");
        drop(child);
        thread::sleep(Duration::from_millis(200));
        let last = fs::read(&alive).unwrap_or_default();
        thread::sleep(Duration::from_millis(300));
        assert_eq!(fs::read(&alive).unwrap_or_default(), last, "its own child lives on");
    }

    #[test]
    fn an_answer_before_its_question_was_read_is_unasked() {
        let mut child = child("while sleep 0.5; do echo early; done", 10_000);
        // More than a pipe holds, so that none of them is ever read to its end.
        let question = "x".repeat(1 << 20);
        let error = (0..3).find_map(|_| child.ask(&question).err()).unwrap();
        assert!(error.to_string().contains("nobody had asked for: early"), "{error}");
    }

    #[test]
    fn a_child_that_reads_nothing_blocks_nobody() {
        let mut child = child("sleep 60", 300);
        let began = Instant::now();
        assert!(child.ask(&"x".repeat(1 << 20)).is_err());
        assert!(began.elapsed() < Duration::from_secs(20));
        let with = vec!["/no/such/program".to_owned()];
        let program = Program { with, ..program("", 1000) };
        let error = Child::start(&program).unwrap_err().to_string();
        assert!(
            error.starts_with("`/no/such/program own.sh` cannot be started: No such file"),
            "{error}"
        );
    }
}
