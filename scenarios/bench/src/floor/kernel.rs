//! How busy the machine is, as the kernel reports it. Each reading is `None` where the kernel
//! does not, as in some containers.

use std::path::Path;

/// Where the kernel's files are: everywhere but in tests.
pub const ROOT: &str = "/";

/// The load average over one minute.
pub fn load(root: &Path) -> Option<f64> {
    read_load(&text(root, "proc/loadavg")?)
}

/// Share of the last 10 s in which something waited for a processor, in % (PSI, `some`).
pub fn pressure(root: &Path) -> Option<f64> {
    read_pressure(&text(root, "proc/pressure/cpu")?)
}

/// A text file of the kernel's, without the blanks around it; `None` if it cannot be read.
pub fn text(root: &Path, path: &str) -> Option<String> {
    let text = std::fs::read_to_string(root.join(path)).ok()?;
    Some(text.trim().to_owned())
}

fn read_load(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn read_pressure(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

/// What all processors together have spent their time on, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processors {
    total: u64,
    stolen: u64,
}

impl Processors {
    pub(crate) fn now(root: &Path) -> Option<Self> {
        Self::read(&text(root, "proc/stat")?)
    }

    /// `cpu user nice system idle iowait irq softirq steal guest guest_nice` (manual page
    /// `proc_stat`); guests are part of user and nice already.
    fn read(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Option<Vec<u64>> =
            line.split_whitespace().take(8).map(|word| word.parse().ok()).collect();
        let ticks = ticks?;
        Some(Self { total: ticks.iter().sum(), stolen: *ticks.get(7)? })
    }

    /// Share of the time since that the hypervisor gave to others, in %. `None` if no time passed.
    pub(crate) fn stolen_since(self, before: Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|total| *total > 0)?;
        Some(self.stolen.saturating_sub(before.stolen) as f64 * 100.0 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read_as_its_documentation_has_them() {
        // Documentation/accounting/psi.rst and proc_loadavg(5).
        let psi = "some avg10=1.53 avg60=0.87 avg300=0.22 total=86418153\nfull avg10=0.00";
        assert_eq!(read_pressure(psi), Some(1.53));
        assert_eq!(read_load("20.10 15.03 11.02 2/1024 31337\n"), Some(20.1));
        let stat = "cpu  10 20 30 900 5 1 2 32 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5";
        assert_eq!(Processors::read(stat), Some(Processors { total: 1000, stolen: 32 }));
    }

    #[test]
    fn what_the_kernel_does_not_report_is_nothing_and_not_zero() {
        for broken in ["", "x", "some", "some avg60=1", "some avg10=x", "cpu", "cpu 1 2 3", "cpu x"]
        {
            assert_eq!(read_pressure(broken), None, "{broken}");
            assert_eq!(Processors::read(broken), None, "{broken}");
        }
        assert_eq!(read_load(""), None);
    }

    #[test]
    fn stolen_time_is_a_share_of_the_time_between_two_readings() {
        let at = |total, stolen| Processors { total, stolen };
        assert_eq!(at(1200, 15).stolen_since(at(1000, 5)), Some(5.0));
        assert_eq!(at(1000, 5).stolen_since(at(1000, 5)), None);
        // Counters of a virtual machine that was moved may go back.
        assert_eq!(at(900, 5).stolen_since(at(1000, 5)), None);
        assert_eq!(at(1200, 4).stolen_since(at(1000, 5)), Some(0.0));
    }
}
