//! A simulated meter on a real line without a scenario.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use crate::bench::{first_line, lastmeter};

/// A meter on a wall has measured before anybody asks it.
#[test]
fn a_meter_by_itself_answers_its_first_request_with_values() {
    for model in ["m-bus-heat-meter", "m-bus-water-meter", "m-bus-electricity-meter"] {
        let mut child = lastmeter()
            .args(["device", model, "--on", "tcp-listen:127.0.0.1:0", "--for", "1 min"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ready = first_line(&mut child);
        let address = ready["lines"][0].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // REQ_UD2 to address 1.
        stream.write_all(&[0x10, 0x5B, 0x01, 0x5C, 0x16]).unwrap();
        let mut head = [0; 7];
        stream.read_exact(&mut head).unwrap();
        // A variable data structure (CI 72), not a report of an error (CI 70).
        assert_eq!((head[0], head[6]), (0x68, 0x72), "{model}: {head:02X?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
