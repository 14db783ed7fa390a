//! Sources of this machine.

use super::*;
use crate::hosts::Hosts;

fn web() -> Web {
    Web::new(Hosts::default(), ClientTls::trusting([]).unwrap())
}

fn kind(name: &str) -> &'static SourceKind {
    SOURCES.iter().find(|kind| kind.name == name).unwrap()
}

fn row(texts: &[(&str, &str)]) -> SourceRow {
    texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// A web server that answers once with a body.
async fn serve(body: &'static str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prices", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + body).as_bytes()).await;
    });
    url
}

#[tokio::test]
async fn rows_of_json_are_named_by_their_members() {
    let body = r#"{"data":{"prices":[
        {"start":"2027-01-18T17:00:00Z","price":{"eur":0.21},"tags":["a","b"],"note":null},
        ["2027-01-18T18:00:00Z",0.5,true]]}}"#;
    let (url, rows) = (Some(serve(body).await), Some("/data/prices".to_owned()));
    let source = Source { url, rows, ..Source::default() };
    let found = (kind("http-json").read)(&source, &web()).await.unwrap();
    let first = row(&[
        ("start", "2027-01-18T17:00:00Z"),
        ("price/eur", "0.21"),
        ("tags/0", "a"),
        ("tags/1", "b"),
    ]);
    assert_eq!(found, [first, row(&[("0", "2027-01-18T18:00:00Z"), ("1", "0.5"), ("2", "true")])]);
}

#[tokio::test]
async fn what_is_no_list_of_json_is_refused_with_its_place() {
    for (body, pointer, word) in [
        ("{", "", "no JSON"),
        ("{}", "", "no list at ``"),
        (r#"{"a":[]}"#, "/b", "no list at `/b`"),
        (r#"{"a":{}}"#, "/a", "no list at `/a`"),
    ] {
        let (url, rows) = (Some(serve(body).await), Some(pointer.to_owned()));
        let source = Source { url, rows, ..Source::default() };
        let found = (kind("http-json").read)(&source, &web()).await;
        assert!(
            matches!(&found, Err(OutgoingError::Refused(why)) if why.contains(word)),
            "{found:?}"
        );
    }
    let source = Source { url: Some("ftp://a/".to_owned()), ..Source::default() };
    assert!(matches!(
        (kind("http-json").read)(&source, &web()).await,
        Err(OutgoingError::Refused(_))
    ));
}

#[tokio::test]
async fn a_file_is_read_by_its_head_and_what_is_empty_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.csv");
    std::fs::write(&file, "at, price\n2027-01-18T17:00:00Z, 0.21\n2027-01-18T18:00:00Z,\n")
        .unwrap();
    let source = Source { file: Some(file.clone()), ..Source::default() };
    let read = async || (kind("csv").read)(&source, &web()).await;
    let first = row(&[("at", "2027-01-18T17:00:00Z"), ("price", "0.21")]);
    assert_eq!(read().await.unwrap(), [first, row(&[("at", "2027-01-18T18:00:00Z")])]);
    std::fs::write(&file, "at,price\n1,2,3\n").unwrap();
    assert!(matches!(read().await, Err(OutgoingError::Refused(why)) if why.contains("prices.csv")));
    let many = "1,2\n".repeat(ROWS_MAX + 1);
    std::fs::write(&file, format!("at,price\n{many}")).unwrap();
    assert!(matches!(read().await, Err(OutgoingError::Refused(why)) if why.contains("more than")));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(read().await, Err(OutgoingError::Failed(_))));
}

#[tokio::test]
async fn a_source_without_what_its_kind_needs_names_it() {
    for kind in SOURCES {
        let found = (kind.read)(&Source::default(), &web()).await;
        let named = format!("`{}`", kind.needs[0]);
        assert!(
            matches!(&found, Err(OutgoingError::Refused(why)) if why.contains(&named)),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_small_document_does_not_become_a_huge_table() {
    let body: &'static str =
        Box::leak(format!("[{{\"{}\":[{}0]}}]", "k".repeat(50_000), "0,".repeat(20_000)).into());
    let source = Source { url: Some(serve(body).await), ..Source::default() };
    let found = (kind("http-json").read)(&source, &web()).await;
    assert!(
        matches!(&found, Err(OutgoingError::Refused(why)) if why.contains("names of columns")),
        "{found:?}"
    );
}
