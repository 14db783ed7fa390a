//! Clients that ask for much and do not read it.

use super::*;

/// Readings with every value there is, so that a few fill what the kernel holds for a socket.
async fn fill(bench: &Bench) {
    for serial in 1..=100 {
        let mut message = reading("home", Some(serial), 1.0);
        message.values = MeasurementId::all().map(|id| (id, 1.0 / 3.0)).collect();
        accept(&bench.core, crate::tests::bytes(&message)).await.unwrap();
    }
    bench.core.barrier().await.unwrap();
}

/// One answer's size is far below what the kernel holds; this many are far above.
const REQUESTS: usize = 30;

async fn ask_for_much(served: &Served) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // So that the kernel takes little on the client's behalf.
    socket.set_recv_buffer_size(128 * 1024).unwrap();
    let mut stream = socket.connect(served.server.address).await.unwrap();
    let request = format!(
        "GET /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.repeat(REQUESTS).as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_does_not_keep_others_out() {
    let bench = Bench::start(ClockSource::Driven).await;
    fill(&bench).await;
    // There is one connection at a time, and this client has it.
    let served = Served::with_connections(bench, 1);
    let mut deaf = ask_for_much(&served).await;
    assert_eq!(served.get("/api/v1/clock").await.status, 200);
    // What it was sent is less than what it asked for, and the connection is gone.
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(LIMIT, deaf.read_to_end(&mut bytes)).await.unwrap();
    let answers = bytes.windows(17).filter(|text| text == b"HTTP/1.1 200 OK\r\n").count();
    assert!((1..REQUESTS).contains(&answers), "{answers} answers, {} bytes", bytes.len());
    served.stop().await;
}

#[tokio::test]
async fn a_slow_client_that_does_read_gets_everything() {
    let bench = Bench::start(ClockSource::Driven).await;
    fill(&bench).await;
    let served = Served::with_limits(bench, 1, Duration::from_secs(1));
    let mut slow = ask_for_much(&served).await;
    let mut bytes: Vec<u8> = Vec::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        // An idle connection is closed, which is the end here.
        let read = tokio::time::timeout(LIMIT, slow.read(&mut piece)).await.unwrap();
        match read {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend(&piece[..count]),
        }
        // All of it takes longer than the limit, a stretch far less.
        let pause = tokio::time::timeout(Duration::from_millis(40), std::future::pending::<()>());
        let _ = pause.await;
    }
    let answers = bytes.windows(17).filter(|text| text == b"HTTP/1.1 200 OK\r\n").count();
    assert_eq!(answers, REQUESTS, "{} bytes", bytes.len());
    served.stop().await;
}
