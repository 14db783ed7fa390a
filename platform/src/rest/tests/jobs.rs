//! Jobs of maintenance over REST: made, done, repeated, and begun again after a stop.

use super::*;
use crate::ops::jobs;
use crate::tenant::Tenant;

/// A job when it has ended.
async fn ended(served: &Served, token: &str) -> Value {
    let waits = async {
        loop {
            let job = served.ok(&format!("/api/v1/jobs/{token}")).await;
            if ["done", "failed"].contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, waits).await.unwrap()
}

pub(super) async fn make(served: &Served, body: Value) -> Value {
    let made = served.post("/api/v1/jobs", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    ended(served, made.json()["token"].as_str().unwrap()).await
}

#[tokio::test]
async fn a_backup_is_a_job_and_each_step_of_it_is_in_the_audit() {
    let served = Served::start().await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    let body = json!({ "token": "..", "kind": "backup" });
    let job = make(&served, body.clone()).await;
    let result = job["result"].as_str().unwrap();
    assert_eq!((&job["state"], &job["version"]), (&json!("done"), &json!(3)), "{job}");
    assert!(result.starts_with("backups/job-..: 1 readings, "), "{result}");
    let path = served.bench.folder.path().join("default/backups/job-..");
    assert_eq!(crate::backup::check(&path).unwrap().rows["readings"], 1);
    assert_eq!(served.post("/api/v1/jobs", &body).await.problem(), "token_is_taken");
    let rows = served.ok("/api/v1/audit").await;
    let actions: Vec<_> = rows["results"].as_array().unwrap().iter().collect();
    let of_job: Vec<_> = actions
        .iter()
        .filter(|row| row["resource"] == "job:..")
        .map(|row| (row["who"].as_str().unwrap(), row["action"].as_str().unwrap()))
        .collect();
    assert_eq!(of_job, [("bench", "make"), ("platform", "change"), ("platform", "change")]);
    assert_eq!(served.ok("/api/v1/jobs").await["numResults"], 1);
    served.stop().await;
}

#[tokio::test]
async fn a_refused_message_is_taken_in_again_once_what_refused_it_is_gone() {
    let mut bench =
        Bench::start_with(ClockSource::Driven, |config| config.limits.devices = 1).await;
    store(&bench.core, &[reading("home", Some(1), 1.0)]).await;
    let refused = crate::tests::bytes(&reading("barn", Some(1), 2.0));
    accept(&bench.core, refused).await.unwrap();
    accept(&bench.core, b"{".to_vec()).await.unwrap();
    bench.core.barrier().await.unwrap();
    bench.config.limits.devices = 10;
    let served = Served::over(bench.restart().await);
    for (number, word) in [(2, "no content"), (3, "no refusal 3")] {
        let job =
            make(&served, json!({ "kind": "replay", "parameters": { "refusal": number } })).await;
        let result = job["result"].as_str().unwrap();
        assert!(job["state"] == "failed" && result.contains(word), "{job}");
    }
    for _ in 0..2 {
        let asked = json!({ "kind": "replay", "parameters": { "refusal": "1" } });
        assert_eq!(make(&served, asked).await["state"], "done");
        assert_eq!(served.bench.core.progress.totals().readings, 2, "it has a number");
    }
    served.stop().await;
}

#[tokio::test]
async fn what_is_no_job_is_refused_and_one_that_waits_is_done_after_a_restart() {
    let served = Served::start().await;
    for (body, field) in [
        (json!({ "kind": "key-rotation" }), "kind"),
        (json!({ "kind": "retention", "parameters": { "days": 1 } }), "parameters"),
        (json!({ "kind": "fly" }), "kind"),
        (json!({ "kind": "backup", "parameters": { "refusal": 1 } }), "parameters"),
        (json!({ "kind": "replay" }), "parameters"),
        (json!({ "kind": "replay", "parameters": { "refusal": 0 } }), "parameters"),
        (json!({ "kind": "assignment-end", "parameters": { "refusal": 1 } }), "parameters"),
    ] {
        let refused = served.post("/api/v1/jobs", &body).await;
        assert_eq!((refused.status, refused.problem().as_str()), (422, "wrong_body"), "{body}");
        assert_eq!(refused.json()["field"], field, "{body}");
    }
    let unknown = json!({ "kind": "assignment-end", "parameters": { "assignment": "none" } });
    assert_eq!(served.post("/api/v1/jobs", &unknown).await.status, 404);
    assert_eq!(served.get("/api/v1/jobs/none").await.status, 404);
    // As a stop leaves it, with what an earlier attempt left.
    for (token, state) in [("a", "running"), ("b", "waiting")] {
        let body = json!({ "kind": "backup", "state": state });
        put(&served.bench.core, token, body).await;
    }
    let unfinished = served.bench.folder.path().join("default/backups/.unfinished");
    std::fs::create_dir_all(unfinished.join("more")).unwrap();
    let core = &served.bench.core;
    jobs::resume(core);
    for token in ["a", "b"] {
        let job = ended(&served, token).await;
        assert_eq!(job["state"], "done", "{job}");
        let path = served.bench.folder.path().join(format!("default/backups/job-{token}"));
        crate::backup::check(&path).unwrap();
    }
    assert!(!unfinished.exists());
    served.stop().await;
}

async fn put(core: &Tenant, token: &str, body: Value) {
    use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};
    let kind = kind_of_name("job").unwrap();
    let (token, expect, body) = (Some(token.to_owned()), Expect::New, Some(body));
    let edits = vec![Edit { kind, token, expect, body }];
    let by = "bench".to_owned();
    core.apply(Transaction { by, edits, ..Transaction::default() }).await.unwrap();
}
