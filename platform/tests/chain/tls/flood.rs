//! Many refused in a row, of all kinds, while a good device goes on.

use super::*;

/// How many are refused, of each of five kinds.
const EACH: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_are_refused_while_a_good_device_loses_nothing() {
    let lab = Lab::start().await;
    let bystander = Bystander::start(&lab).await;
    let another = Authority::generate("another").unwrap().issue_device("home-1").unwrap();
    let expired = lab.authority.issue_device_valid("home-1", Validity::expired()).unwrap();
    let thief = lab.authority.issue_device("thief").unwrap();
    for _ in 0..EACH {
        why_not(lab.options_as("home-1", Some(another.clone()))).await;
        why_not(lab.options_as("home-1", Some(expired.clone()))).await;
        why_not(lab.options_as("home-1", Some(thief.clone()))).await;
        why_not(lab.options_as("home-1", None)).await;
        why_not(SessionOptions { tls: None, ..lab.options_as("home-1", None) }).await;
    }
    let kinds = [
        "tls_expired",
        "tls_no_certificate",
        "tls_not_tls",
        "tls_unknown_authority",
        "tls_wrong_identity",
    ];
    bystander.stop(&lab).await;
    // All of them are counted; a session that is slow to be dropped tries more than once.
    let counted = lab.counted().await;
    assert_eq!(counted.keys().collect::<Vec<_>>(), kinds);
    assert!(counted.values().all(|count| *count >= EACH as u64), "{counted:?}");
    // Twenty of each kind are recorded one by one, the others as a sum when the platform stops.
    let Lab { platform, folder, .. } = lab;
    assert!(platform.shutdown().await);
    let config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
    let again = Platform::start(config).await.expect("a second start");
    let rows = read_back(&client(again.rest_address()), "/api/v1/refusals").await;
    let mut records: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for row in &rows {
        let (single, summed) =
            records.entry(row["reason"].as_str().unwrap().to_owned()).or_default();
        match row["detail"].as_str().unwrap().split_once(" more within a minute") {
            Some((count, _)) => *summed += count.parse::<u64>().unwrap(),
            None => *single += 1,
        }
    }
    for (kind, (single, summed)) in &records {
        // A test that takes longer than a minute sees a second window; on a slow disk records may
        // have to make room for others and are in the sum as well.
        assert!((10..=40).contains(single), "{kind}: {single}");
        assert_eq!(*single as u64 + summed, counted[kind], "{kind}");
    }
    assert_eq!(records.len(), 5);
}
