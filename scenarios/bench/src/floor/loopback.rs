//! An echo over a TCP connection on loopback, where the broker passes none on.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::timer::Timer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::arrivals::{Arrivals, Plan, WARM_UP};

/// From when each echo was due until it came back, ns; lost ones, after `grace` behind the end of
/// the schedule, are [`i64::MAX`].
pub(super) async fn latencies(plan: Plan, grace: Duration) -> io::Result<Vec<i64>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let echoing = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut from, mut to) = stream.into_split();
        tokio::io::copy(&mut from, &mut to).await
    });
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut back, mut out) = stream.into_split();
    let start_ns = monotonic_ns() + plan.due_ns(0, WARM_UP);
    let receiving = tokio::spawn(async move {
        let mut arrivals = Arrivals::new(0, plan.messages);
        let mut payload = vec![0; plan.payload_bytes];
        let deadline = limit(plan, grace);
        let all = async {
            while !arrivals.is_complete() && back.read_exact(&mut payload).await.is_ok() {
                arrivals.take(&payload, monotonic_ns());
            }
        };
        // What has not come is lost, which the latencies show.
        let _ = tokio::time::timeout(deadline, all).await;
        arrivals
    });
    let mut timer = Timer::new()?;
    let sending = async {
        for warm_up in 0..WARM_UP {
            timer.until(start_ns - plan.due_ns(0, WARM_UP - warm_up)).await?;
            out.write_all(&plan.payload(0, plan.messages + warm_up)).await?;
        }
        for number in 0..plan.messages {
            timer.until(plan.due_ns(start_ns, number)).await?;
            out.write_all(&plan.payload(0, number)).await?;
        }
        Ok::<(), io::Error>(())
    };
    let sent = tokio::time::timeout(limit(plan, grace), sending).await;
    let arrivals = receiving.await.map_err(io::Error::other)?;
    echoing.abort();
    sent.unwrap_or(Ok(()))?;
    Ok(arrivals.latencies_ns(&plan, start_ns))
}

fn limit(plan: Plan, grace: Duration) -> Duration {
    let schedule_ns = plan.length_ns().saturating_add(plan.due_ns(0, WARM_UP));
    Duration::from_nanos(schedule_ns.unsigned_abs()).saturating_add(grace)
}
