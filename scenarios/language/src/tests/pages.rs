//! Requests to pages of gateways, and gateways that ask the platform: whose they are, and what
//! cannot be.

use super::{load, mistakes};
use crate::RequestRow;

const HOME: &str = r#"format = 1
[scenario]
name = "pages"
duration = "1 min"
start = 1970-01-01T00:00:00Z

[[source]]
name = "g"
kind = "synthetic"
phases = 1
voltage = "230 V"

[[network]]
name = "bus"
kind = "can"

[[device]]
name = "m-1"
at = "source:g"
model = "can-meter"
on = "network:bus"

[[check]]
name = "c"
kind = "no_loss"

[[check]]
name = "r"
kind = "requests"

[[gateway]]
name = "hub"
model = "can-aggregator"
on = "network:bus"
"#;

fn with(gateway: &str, request: &str) -> String {
    format!("{HOME}{gateway}\n[[request]]\nat = \"10 s\"\n{request}\n")
}

#[test]
fn a_page_and_a_credential_are_read_as_they_are_written() {
    let text = with(
        "reads_as = \"own\"",
        "method = \"POST\"\npath = \"/\"\npage = \"hub\"\ntext = \"a=b\"\n\
         origin = \"http://other\"\ncontains = [\"x\", \"y\"]\nkeep = { own = \"cookie\" }",
    );
    let scenario = load(&text).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(scenario.gateways[0].reads_as.as_deref(), Some("own"));
    let [row] = &scenario.part::<Vec<RequestRow>>().unwrap()[..] else { panic!("one request") };
    assert_eq!((row.page.as_deref(), row.origin.as_deref()), (Some("hub"), Some("http://other")));
    assert_eq!(row.contains, ["x", "y"]);
    assert!(scenario.same_meaning(&load(&scenario.resolved_toml()).unwrap()));
}

#[test]
fn what_no_page_or_credential_can_be_is_a_mistake() {
    let request = "path = \"/\"\npage = \"hub\"\n";
    for (gateway, request, found) in [
        ("reads_as = \"own\"", request.to_owned(), "no request keeps a token under `own`"),
        ("", "path = \"/\"\npage = \"m\"".to_owned(), "there is no `[[gateway]]` named `m`"),
        ("", format!("{request}method = \"PUT\""), "is asked for with GET or POST"),
        ("", format!("{request}body = {{ a = 1 }}"), "`body` is of a request to the platform"),
        ("", format!("{request}type = \"text/csv\""), "`type` is of a request to the platform"),
        ("", "path = \"/\"\norigin = \"x\"".to_owned(), "the platform asks for no `origin`"),
        ("", format!("{request}as = \"later\""), "nothing is kept under `later` by then"),
    ] {
        let all = mistakes(&with(gateway, &request)).join("\n");
        assert!(all.contains(found), "{found}: {all}");
    }
}
