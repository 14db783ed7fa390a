//! What went over the ports of a board, both ways, with the time.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use lastmeter_devices::BoardPort;
use lastmeter_link::clock::monotonic_ns;

use super::firmware::hexadecimal;

/// Bytes of a log, after which nothing more is written.
const BYTES_MAX: usize = 8 << 20;
/// Samples are many: of one transfer on the stimulus port so many bytes are shown.
const STIMULUS_BYTES_SHOWN: usize = 16;

/// A file with one line for each transfer: seconds since it was begun, port, direction,
/// hexadecimal digits, text.
#[derive(Debug)]
pub(super) struct SerialLog {
    file: Option<BufWriter<File>>,
    begin_ns: i64,
    written: usize,
    left_out: u64,
}

impl SerialLog {
    pub(super) fn create(folder: &Path) -> Result<Self, String> {
        let path = folder.join("serial.csv");
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut log = Self {
            file: Some(BufWriter::new(file)),
            begin_ns: monotonic_ns(),
            written: 0,
            left_out: 0,
        };
        log.line("seconds,port,direction,bytes,hexadecimal,text\n");
        Ok(log)
    }

    /// Notes bytes that go `to` the board or come `from` it.
    pub(super) fn note(&mut self, port: BoardPort, direction: &str, bytes: &[u8]) {
        if self.written > BYTES_MAX {
            self.left_out += 1;
            return;
        }
        let seconds = (monotonic_ns() - self.begin_ns) as f64 * 1e-9;
        let (name, shown) = match port {
            BoardPort::Network => ("network", bytes),
            BoardPort::Stimulus => ("bench", &bytes[..bytes.len().min(STIMULUS_BYTES_SHOWN)]),
        };
        let digits = hexadecimal(shown);
        let text: String = match port {
            BoardPort::Network => {
                String::from_utf8_lossy(shown).escape_default().to_string().replace('"', "\"\"")
            }
            BoardPort::Stimulus => String::new(),
        };
        let length = bytes.len();
        self.line(&format!("{seconds:.6},{name},{direction},{length},{digits},\"{text}\"\n"));
    }

    /// A log that cannot be written is not worth a run.
    fn line(&mut self, line: &str) {
        self.written += line.len();
        if let Some(file) = &mut self.file
            && file.write_all(line.as_bytes()).is_err()
        {
            self.file = None;
        }
    }

    pub(super) fn flush(&mut self) {
        if self.left_out > 0 {
            let line = format!(",,,,,\"{} more transfers were not noted\"\n", self.left_out);
            self.line(&line);
        }
        if let Some(file) = &mut self.file {
            // As with a line.
            let _ = file.flush();
        }
    }
}
