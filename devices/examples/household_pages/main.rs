//! The pages of a household's aggregator, of a household that is made up: user `customer`, password
//! `correct horse`. Sessions are drawn from a counter, which is good enough for looking only.
//!
//! `cargo run -p lastmeter-devices --example household_pages -- 127.0.0.1:8080 [open]`

#![expect(clippy::print_stdout, reason = "an example shows where it is")]

mod made;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lastmeter_devices::household::site::Site;
use lastmeter_devices::household::view::{self, Change, DecisionView, View};
use lastmeter_devices::household::{Access, display};
use lastmeter_devices::{PageAnswer, PageMethod, PageRequest};

/// The longest form that is read.
const BODY_MAX: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let listener = TcpListener::bind(arguments.first().map_or("127.0.0.1:0", String::as_str))?;
    println!("http://{}", listener.local_addr()?);
    let (user, password) = ("customer".to_owned(), "correct horse".to_owned());
    let is_open = arguments.get(1).is_some_and(|word| word == "open");
    let access = if is_open { Access::None } else { Access::Password { user, password } };
    let (mut site, mut view, mut drawn) = (Site::new(&access), made::view(), 0_u64);
    let mut draw = || {
        drawn = drawn.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (drawn ^ drawn >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    };
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        // A browser may open a connection that it does not use.
        let Ok(Some(request)) = read(&stream) else { continue };
        let served = site.answer(view.now, &request, &view, &mut draw);
        if let Some(refused) = served.refused {
            println!("refused: {refused}");
        }
        if let Some(change) = served.change {
            println!("change: {change:?}");
            apply(&mut view, change);
        }
        // Who has gone meanwhile does not want it.
        let _ = write(&stream, &served.answer);
    }
    Ok(())
}

fn read(stream: &TcpStream) -> Result<Option<PageRequest>, Box<dyn Error>> {
    let (mut reader, mut lines) = (BufReader::new(stream), Vec::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let headers = lines.iter().filter_map(|line| line.split_once(':'));
        let mut found = headers.filter(|(of, _)| of.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned())
    };
    let mut first = lines.first().map_or("", String::as_str).split(' ');
    let method = first.next().and_then(PageMethod::from_word);
    let Some((method, path)) = method.zip(first.next()) else { return Ok(None) };
    let length = header("Content-Length").map_or(Ok(0), |length| length.parse::<usize>())?;
    let mut body = vec![0; length.min(BODY_MAX)];
    reader.read_exact(&mut body)?;
    let [cookie, origin, host] = ["Cookie", "Origin", "Host"].map(header);
    Ok(Some(PageRequest { method, path: path.to_owned(), cookie, origin, host, body }))
}

fn write(mut stream: &TcpStream, answer: &PageAnswer) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {} -\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n",
        answer.status,
        answer.media_type,
        answer.body.len()
    )?;
    for (name, value) in [("Location", &answer.location), ("Set-Cookie", &answer.set_cookie)] {
        if let Some(value) = value {
            write!(stream, "{name}: {value}\r\n")?;
        }
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(&answer.body)
}

/// What the household makes of a change.
fn apply(view: &mut View, change: Change) {
    let (about, action) = match change {
        Change::Strategy(strategy) => {
            view.strategy = strategy;
            ("household".to_owned(), "strategy")
        }
        Change::Contract(power_w) => {
            view.limit_w = power_w;
            ("household".to_owned(), "contract")
        }
        Change::Switch { load, is_closed } => {
            for one in view.loads.iter_mut().filter(|one| one.name == load) {
                (one.is_closed, one.is_shed) = (Some(is_closed), false);
            }
            (load, if is_closed { "close" } else { "open" })
        }
        Change::Window { load, from, until } => {
            for one in view.loads.iter_mut().filter(|one| one.name == load) {
                one.window = Some((from, until));
            }
            (load, "window")
        }
        Change::StartNow { load } => (load, "start"),
        Change::Screen(screen) => {
            view.screen = screen;
            return;
        }
    };
    let why = "The customer asked for it.".to_owned();
    view.decisions.insert(0, DecisionView { at: view.now, about, action, why });
}
