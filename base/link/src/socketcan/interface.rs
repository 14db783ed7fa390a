//! An interface of `SocketCAN` as a raw socket, in the runtime that opens it.

use std::io;
use std::time::{Duration, SystemTime};

use lastmeter_can::frame::CanFrame;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use socketcan::{CanAddr, CanSocket, Socket as _, SocketOptions as _};
use tokio::io::unix::AsyncFd;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{CanArrival, InterfaceName, SocketCanError, from_kernel, to_kernel};
use crate::clock::{monotonic_ns, nanoseconds};

/// How long a frame may wait for room in the interface's queue.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// How often it is tried while the queue is full, of which the kernel announces no end.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// One interface, opened to send and to receive everything on its bus.
///
/// What others on this machine send on the interface is received as well; what is sent here is not.
#[derive(Debug)]
pub struct CanInterface {
    name: InterfaceName,
    socket: AsyncFd<CanSocket>,
    opened_ns: i64,
}

/// What was asked of the kernel when it answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A socket for CAN, of no interface yet.
    Socket,
    /// The number of the interface.
    Find,
    /// A socket of the interface, with its options.
    Bind,
    Receive,
    Send,
}

impl CanInterface {
    /// Opens an interface, which has to be there; must be called within a tokio runtime. One that
    /// is down is an error of the first [`CanInterface::recv`] or [`CanInterface::send`].
    pub fn open(name: &InterfaceName) -> Result<Self, SocketCanError> {
        let fault = |step| move |error: io::Error| fault(name, step, &error);
        // First a socket of all interfaces: where the kernel has no CAN, that none is named so
        // is not what is wrong.
        drop(CanSocket::open_iface(0).map_err(fault(Step::Socket))?);
        let address = CanAddr::from_iface(name.as_str()).map_err(fault(Step::Find))?;
        let socket = CanSocket::open_addr(&address).map_err(fault(Step::Bind))?;
        socket.set_error_filter_accept_all().map_err(fault(Step::Bind))?;
        Self::of_socket(name, socket).map_err(fault(Step::Bind))
    }

    /// Takes a socket that is bound.
    fn of_socket(name: &InterfaceName, socket: CanSocket) -> io::Result<Self> {
        socket.set_recv_timestamp(true)?;
        socket.set_nonblocking(true)?;
        #[expect(
            deprecated,
            reason = "a CanSocket keeps the promise that the unsafe form asks for"
        )]
        let socket = AsyncFd::new(socket)?;
        Ok(Self { name: name.clone(), socket, opened_ns: monotonic_ns() })
    }

    /// The next frame or error on the bus. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> Result<CanArrival, SocketCanError> {
        let fault = |error: io::Error| fault(&self.name, Step::Receive, &error);
        let (frame, stamp) = loop {
            let mut ready = self.socket.readable().await.map_err(fault)?;
            let read = ready.try_io(|socket| socket.get_ref().read_frame_with_timestamp());
            // An error here only means that nothing was there after all.
            if let Ok(read) = read {
                break read.map_err(fault)?;
            }
        };
        let (now_ns, wall_ns) = (monotonic_ns(), nanoseconds(clock_gettime(ClockId::Realtime)));
        let unix_ns = unix_ns(stamp);
        let at_ns = stamp_ns(unix_ns, wall_ns, now_ns, self.opened_ns);
        let content = from_kernel(&frame)
            .map_err(|source| SocketCanError::Frame { interface: self.name.clone(), source })?;
        Ok(CanArrival { at_ns, unix_ns, content })
    }

    /// Sends a frame. Returns when the interface's queue has it, which is before it is on the bus,
    /// or with [`SocketCanError::QueueFull`] after ten seconds.
    pub async fn send(&self, frame: &CanFrame) -> Result<(), SocketCanError> {
        let frame = to_kernel(frame);
        let sent = timeout(SEND_LIMIT, self.until_taken(&frame)).await;
        sent.unwrap_or_else(|_| {
            let (interface, waited_s) = (self.name.clone(), SEND_LIMIT.as_secs());
            Err(SocketCanError::QueueFull { interface, waited_s })
        })
    }

    async fn until_taken(&self, frame: &socketcan::CanFrame) -> Result<(), SocketCanError> {
        let fault = |error: io::Error| fault(&self.name, Step::Send, &error);
        let mut again = interval(RETRY_INTERVAL);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            let mut ready = self.socket.writable().await.map_err(fault)?;
            match ready.try_io(|socket| socket.get_ref().write_frame(frame)) {
                Ok(Err(error)) if is(&error, Errno::NOBUFS) => {}
                Ok(taken) => return taken.map_err(fault),
                Err(_would_block) => {}
            }
        }
    }
}

fn is(error: &io::Error, number: Errno) -> bool {
    Errno::from_io_error(error) == Some(number)
}

/// The wall clock's nanoseconds since 1970; 0 before, and the last that there is when far ahead.
fn unix_ns(stamp: SystemTime) -> i64 {
    let since = stamp.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The kernel's stamp on the monotonic clock, by what both clocks show now. The wall clock may
/// have been set in between, so never before the interface was opened, and never later than now.
fn stamp_ns(unix_ns: i64, wall_ns: i64, now_ns: i64, opened_ns: i64) -> i64 {
    let age_ns = wall_ns.saturating_sub(unix_ns);
    now_ns.saturating_sub(age_ns).max(opened_ns).min(now_ns)
}

/// What an answer of the kernel means.
fn fault(name: &InterfaceName, step: Step, error: &io::Error) -> SocketCanError {
    let (interface, reason) = (name.clone(), error.to_string());
    // CAN_RAW at an interface of another kind, and one that has vanished, answer ENODEV.
    match (step, Errno::from_io_error(error)) {
        (_, Some(Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT)) => {
            SocketCanError::NoKernel { interface, reason }
        }
        (Step::Find, Some(Errno::NODEV)) => SocketCanError::NoInterface(interface),
        (Step::Bind, Some(Errno::NODEV)) => SocketCanError::NotCan(interface),
        (Step::Receive | Step::Send, Some(Errno::NODEV | Errno::NXIO)) => {
            SocketCanError::Gone(interface)
        }
        (_, Some(Errno::NETDOWN)) => SocketCanError::Down(interface),
        (Step::Socket | Step::Find | Step::Bind, _) => {
            SocketCanError::Kernel { interface, action: "open", reason }
        }
        (Step::Receive, _) => SocketCanError::Kernel { interface, action: "receive from", reason },
        (Step::Send, _) => SocketCanError::Kernel { interface, action: "send to", reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketcan::CanContent;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;

    fn name() -> InterfaceName {
        "can0".parse().unwrap()
    }

    /// An interface over a socket of datagrams, and its other end: what a kernel without CAN can
    /// run of it.
    fn pair() -> (CanInterface, UnixDatagram) {
        let (here, there) = UnixDatagram::pair().unwrap();
        let socket = CanSocket::from(OwnedFd::from(here));
        let limit = Some(Duration::from_secs(10));
        there.set_read_timeout(limit).unwrap();
        (CanInterface::of_socket(&name(), socket).unwrap(), there)
    }

    /// `struct can_frame` of `linux/can.h`: identifier with flags, length, three bytes, data.
    fn can_frame(id: u32, length: u8, data: [u8; 8]) -> Vec<u8> {
        [&id.to_ne_bytes()[..], &[length, 0, 0, 0], &data].concat()
    }

    #[tokio::test]
    async fn frames_pass_in_the_layout_of_the_kernel() {
        let (mut interface, other) = pair();
        interface.send(&"00000123#1122".parse().unwrap()).await.unwrap();
        let mut bytes = [0; 32];
        let length = other.recv(&mut bytes).unwrap();
        let expected = can_frame(0x8000_0123, 2, [0x11, 0x22, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&bytes[..length], expected);

        let before_ns = monotonic_ns();
        other.send(&can_frame(0x4000_0321, 8, [0; 8])).unwrap();
        other.send(&can_frame(0x2000_0040, 8, [0; 8])).unwrap();
        let remote = interface.recv().await.unwrap();
        assert_eq!(remote.content, CanContent::Frame("321#R8".parse().unwrap()));
        // The two clocks are not read at one instant.
        let early_ns = before_ns - 50_000_000;
        assert!((early_ns..=monotonic_ns()).contains(&remote.at_ns), "{remote:?} {before_ns}");
        assert!(remote.unix_ns > 0);
        let error = interface.recv().await.unwrap();
        assert_eq!(error.content, CanContent::Error("bus off".to_owned()));
    }

    #[tokio::test]
    async fn what_is_received_waits_while_nobody_asks() {
        let (mut interface, other) = pair();
        // Given up before anything comes.
        let nothing = timeout(Duration::from_millis(1), interface.recv()).await;
        assert!(nothing.is_err());
        other.send(&can_frame(0x7FF, 1, [9, 0, 0, 0, 0, 0, 0, 0])).unwrap();
        let arrival = interface.recv().await.unwrap();
        assert_eq!(arrival.content, CanContent::Frame("7FF#09".parse().unwrap()));
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_named_with_what_to_do() {
        let name: InterfaceName = "no-such-can".parse().unwrap();
        // By kernel: without CAN, or without the interface.
        match CanInterface::open(&name).unwrap_err() {
            SocketCanError::NoKernel { interface, .. } | SocketCanError::NoInterface(interface) => {
                assert_eq!(interface, name);
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn answers_of_the_kernel_are_explained() {
        let of = |step, number: Errno| fault(&name(), step, &io::Error::from(number)).to_string();
        let cases = [
            (
                Step::Socket,
                Errno::AFNOSUPPORT,
                "cannot open can:can0: this kernel has no SocketCAN",
            ),
            (Step::Socket, Errno::PROTONOSUPPORT, "`modprobe can_raw`"),
            (Step::Socket, Errno::PERM, "cannot open can:can0: Operation not permitted"),
            (Step::Find, Errno::NODEV, "no such interface can0: "),
            (Step::Bind, Errno::NODEV, "can0 is no CAN interface"),
            (Step::Receive, Errno::NETDOWN, "can0 is down: bring it up with `ip link set can0 up"),
            (Step::Send, Errno::NETDOWN, "can0 is down"),
            (Step::Send, Errno::NXIO, "can0 is gone"),
            (Step::Receive, Errno::NODEV, "can0 is gone"),
            (Step::Send, Errno::INVAL, "cannot send to can:can0: Invalid argument"),
        ];
        for (step, number, expected) in cases {
            let text = of(step, number);
            assert!(text.contains(expected), "{step:?} {number:?}: {text}");
        }
    }

    #[test]
    fn stamps_move_to_the_monotonic_clock() {
        // 7 ns old.
        assert_eq!(stamp_ns(1_000, 1_007, 500, 100), 493);
        // The wall clock was set back, or forth by more than the interface is open.
        assert_eq!(stamp_ns(1_000, 900, 500, 100), 500);
        assert_eq!(stamp_ns(1_000, 900_000, 500, 100), 100);
        assert_eq!(stamp_ns(i64::MAX, i64::MIN, 500, 100), 500);
        assert_eq!(unix_ns(SystemTime::UNIX_EPOCH + Duration::from_nanos(12)), 12);
        assert_eq!(unix_ns(SystemTime::UNIX_EPOCH - Duration::from_nanos(12)), 0);
    }
}
