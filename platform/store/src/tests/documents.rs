//! What the random work is unlikely to meet of documents.

use std::sync::Arc;

use lastmeter_model::decide::Outcome;
use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};
use lastmeter_model::standing::Standing;
use lastmeter_model::token::entity_token;
use lastmeter_model::work::{Change, Work};
use lastmeter_units::{SimTime, TenantName};

use super::subject::Strict;
use crate::memory::MemoryStore;
use crate::writer::Writer;

fn edit(token: Option<String>) -> Edit {
    let body = Some(serde_json::json!({ "name": "a site" }));
    Edit { kind: kind_of_name("site").unwrap(), token, expect: Expect::New, body }
}

fn apply(writer: &mut Writer, edits: Vec<Edit>) -> Outcome {
    let transaction = Transaction { by: "user:ann".to_owned(), edits, ..Transaction::default() };
    let change = Change::Apply(Box::new(transaction));
    writer.apply([Work::Change(&change)], SimTime(1)).unwrap()
}

#[test]
fn a_token_that_is_made_is_none_that_was_given() {
    let tenant = TenantName::default();
    let around = (Arc::default(), Arc::new(Strict) as Arc<_>);
    let store = (Box::new(MemoryStore::default()) as Box<_>, Standing::default());
    let mut writer = Writer::new(&tenant, store, around, 0);
    let given = |n| Some(entity_token(tenant.as_str(), "site", n));
    // The first is given before it would be made, in another transaction and in the same one.
    for edits in [vec![edit(given(1))], vec![edit(given(2)), edit(None), edit(None)]] {
        let outcome = apply(&mut writer, edits);
        assert_eq!(outcome.changes[0].conflict, None);
    }
    assert_eq!(writer.standing().documents, 4);
    // One that is given after it was made is a conflict, and nothing is done.
    let outcome = apply(&mut writer, vec![edit(None), edit(given(5))]);
    assert_eq!(outcome.changes[0].conflict.as_ref().map(|conflict| conflict.edit), Some(1));
    assert_eq!(writer.standing().documents, 4);
}
