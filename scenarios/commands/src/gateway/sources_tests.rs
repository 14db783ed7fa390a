//! Requests of a gateway that has nobody to ask.

use std::time::Duration;

use lastmeter_wire::rest::Method;
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn without_an_address_a_request_has_no_answer_and_is_not_left_open() {
    let mut sources = Sources::open(&SourceOptions::default(), None, false).unwrap();
    for number in [7, 8] {
        let path = "/api/v1/latest?device=a".to_owned();
        sources.ask(Request { number, method: Method::Get, path, body: None, key: None });
        let next = timeout(Duration::from_secs(5), sources.next()).await.unwrap();
        let GatewayInput::Answer(answer) = next else { panic!("{next:?}") };
        assert_eq!((answer.number, answer.status, sources.lacks_rest), (number, 0, true));
    }
}
