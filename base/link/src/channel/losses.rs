//! What the kernel keeps of datagrams that are not read yet, and how many it has lost.
//!
//! The kernel counts what finds no room at a socket, as it does for `SO_RXQ_OVFL`, and shows the
//! count in `/proc/net/udp` (Linux, `proc(5)`). There it can be seen without a further datagram, so
//! that a loss just before silence is noticed too.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::time::timeout;

/// What the kernel is asked to keep of datagrams that are not read yet: two seconds of the largest
/// frames of a real-time simulator at 5000 a second. It may grant less.
const RECEIVE_BUFFER_BYTES: usize = 16 << 20;
/// From one look at the kernel's count to the next.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Counts of the datagrams of one channel. Clones show the same counts.
#[derive(Clone, Debug, Default)]
pub struct DatagramCounts {
    lost: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    buffer_bytes: Arc<AtomicU64>,
}

impl DatagramCounts {
    /// Datagrams that the kernel received and lost since there was no room for them, since the
    /// channel was opened. Up to date within half a second.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Datagrams of others that were refused while one party was served, since the channel was
    /// opened.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn refuse_one(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// What the kernel has granted for datagrams that are not read yet, bytes, its own
    /// administration included; `None` where there is no such socket.
    pub fn buffer_bytes(&self) -> Option<u64> {
        Some(self.buffer_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    /// Asks for as much room as can be had: beyond the administrator's limit
    /// (`net.core.rmem_max`) where this process may go beyond it.
    pub(super) fn ask_for_room(&self, socket: impl AsFd) {
        let force = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES);
        // Without more room a burst is lost sooner, and counted.
        let _ =
            force.or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES));
        let granted = sockopt::socket_recv_buffer_size(&socket).unwrap_or(0);
        self.buffer_bytes.store(granted as u64, Ordering::Relaxed);
    }

    /// Adds up what is lost at a socket; does not end. `drops` outlives the line: a socket on which
    /// is listened serves one line after another.
    pub(super) async fn watch(&self, socket: impl AsFd, drops: &mut SocketDrops) {
        let inode = rustix::fs::fstat(&socket).map_or(0, |stat| stat.st_ino);
        if drops.inode != inode {
            *drops = SocketDrops { inode, lost: 0 };
        }
        loop {
            if let Ok(Some(lost)) = lost_at(inode) {
                // The kernel counts in 32 bits.
                let more = (lost as u32).wrapping_sub(drops.lost as u32);
                drops.lost = lost;
                self.lost.fetch_add(u64::from(more), Ordering::Relaxed);
            }
            // Nothing ends this wait but its limit.
            let _ = timeout(LOOK_EVERY, std::future::pending::<()>()).await;
        }
    }
}

/// The kernel's count of lost datagrams at a socket, as last read.
#[derive(Debug, Default)]
pub(super) struct SocketDrops {
    inode: u64,
    lost: u64,
}

fn lost_at(inode: u64) -> io::Result<Option<u64>> {
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        if let Some(lost) = lost_in(&std::fs::read_to_string(table)?, inode) {
            return Ok(Some(lost));
        }
    }
    Ok(None)
}

/// The count of a socket in such a table: its columns 10 and 13 are inode and losses.
fn lost_in(table: &str, inode: u64) -> Option<u64> {
    let rows = table.lines().skip(1);
    rows.map(|row| row.split_ascii_whitespace()).find_map(|mut columns| {
        let found = columns.nth(9)?.parse::<u64>().ok()?;
        let lost = columns.nth(2)?.parse::<u64>().ok()?;
        (found == inode).then_some(lost)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_socket_is_found_by_its_inode() {
        // As Linux 6.1 shows it.
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\
                     \u{20}  uid  timeout inode ref pointer drops            \n\
                     \u{20} 317: 0100007F:C4A3 00000000:0000 07 00000000:00000300 00:00000000 00000000\
                     \u{20}    0        0 41511 2 0000000000000000 1328        \n\
                     \u{20} 318: 0100007F:C4A4 00000000:0000 07 00000000:00000000 00:00000000 00000000\
                     \u{20}    0        0 41512 2 0000000000000000 0           \n";
        assert_eq!(lost_in(table, 41_511), Some(1328));
        assert_eq!(lost_in(table, 41_512), Some(0));
        assert_eq!(lost_in(table, 41_513), None);
        assert_eq!(lost_in("", 1), None);
    }
}
