//! Messages to a mail server of this machine.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

/// A mail server that answers recipients so; gives each message that it takes.
async fn sink(to_recipients: &'static str) -> (u16, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (taken, messages) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut lines, mut out) = {
                let (reading, writing) = stream.into_split();
                (BufReader::new(reading).lines(), writing)
            };
            let _ = out.write_all(b"220 sink\r\n").await;
            let mut message: Option<String> = None;
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(text) = &mut message {
                    if line == "." {
                        let _ = taken.send(std::mem::take(text));
                        message = None;
                        let _ = out.write_all(b"250 taken\r\n").await;
                    } else {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    continue;
                }
                let reply = match line.split([' ', ':']).next() {
                    Some("RCPT") => to_recipients,
                    Some("DATA") => "354 go on\r\n",
                    Some("QUIT") => "221 bye\r\n",
                    _ => "250 fine\r\n",
                };
                message = (reply.starts_with("354")).then(String::new);
                let _ = out.write_all(reply.as_bytes()).await;
            }
        }
    });
    (port, messages)
}

fn server(port: u16) -> MailServer {
    let from = "lastmeter <meter@example.org>";
    MailServer::new(("127.0.0.1", port), from, (Encryption::None, None), None).unwrap()
}

fn message(to: &str) -> Message {
    let text = |text: &str| text.to_owned();
    Message {
        id: text("t-1"),
        to: text(to),
        subject: text("Heater \u{fc}ber 3 kW"),
        text: text("First line\n.\nlast line"),
    }
}

#[tokio::test]
async fn a_message_arrives_under_its_id_with_all_of_its_lines() {
    let (port, mut taken) = sink("250 fine\r\n").await;
    server(port).send(message("ann@example.org")).await.unwrap();
    let found = taken.recv().await.unwrap();
    for line in [
        "From: lastmeter <meter@example.org>",
        "To: ann@example.org",
        "Message-ID: <t-1@example.org>",
        "Subject: Heater =?utf-8?b?w7xiZXI=?= 3 kW",
        "First line",
        "..",
        "last line",
    ] {
        assert!(found.lines().any(|one| one == line), "{line:?} in {found}");
    }
}

#[tokio::test]
async fn a_recipient_is_refused_for_good_or_to_be_tried_again() {
    let (port, _taken) = sink("550 nobody\r\n").await;
    let sent = server(port).send(message("ann@example.org")).await;
    assert!(matches!(&sent, Err(OutgoingError::Refused(why)) if why.contains("550")), "{sent:?}");
    let (port, _taken) = sink("451 later\r\n").await;
    let sent = server(port).send(message("ann@example.org")).await;
    assert!(matches!(&sent, Err(OutgoingError::Failed(why)) if why.contains("451")), "{sent:?}");
    let sent = server(port).send(message("no address\r\nBcc: x@example.org")).await;
    assert!(matches!(sent, Err(OutgoingError::Refused(_))), "{sent:?}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let sent = server(closed).send(message("ann@example.org")).await;
    assert!(matches!(sent, Err(OutgoingError::Failed(_))), "{sent:?}");
}

#[tokio::test]
async fn nothing_goes_out_in_plain_text_where_encryption_is_asked_for() {
    let (port, mut taken) = sink("250 fine\r\n").await;
    for how in [Encryption::StartTls, Encryption::Tls] {
        let server =
            MailServer::new(("127.0.0.1", port), "m@example.org", (how, None), None).unwrap();
        assert!(server.send(message("ann@example.org")).await.is_err());
    }
    assert!(taken.try_recv().is_err());
}
