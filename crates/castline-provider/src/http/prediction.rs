//! Reads predictions out of answers, in every shape that servers were seen to give them.

use castline_core::{PredictionId, Snapshot, Status};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::base_url::is_segment;
use super::options::Dialect;

/// Wrappers are at most two deep where they were seen.
const DEPTH: usize = 4;

/// The prediction in an answer's body; none when there is none in it.
///
/// `asked` is the id that was asked for: it stays the id, whatever a gateway calls the
/// prediction on its other side.
pub(crate) fn read(body: &Value, dialect: Dialect, asked: Option<&PredictionId>) -> Option<Snapshot> {
    let outer = body.as_object()?;
    match status_of(outer, dialect) {
        Some(status) => Some(snapshot(outer, id_of(outer, asked)?, status)),
        None => unwrap(outer, asked),
    }
}

/// The object in an answer's body that is the prediction itself, without what is around it.
pub(super) fn object(body: &Value) -> Option<&Map<String, Value>> {
    let outer = body.as_object()?;
    if outer.contains_key("status") {
        return Some(outer);
    }
    descend(outer).into_iter().rev().find(|object| object.contains_key("status"))
}

/// CometAPI may answer with a task around the prediction, and the task alone while there is
/// no prediction yet.
fn unwrap(outer: &Map<String, Value>, asked: Option<&PredictionId>) -> Option<Snapshot> {
    let chain = descend(outer);
    let task = chain.first()?;
    let id = id_of(task, asked).or_else(|| chain.iter().find_map(|o| id_of(o, None)))?;
    if let Some((inner, status)) =
        chain.iter().rev().find_map(|o| Some((*o, known(status_of(o, Dialect::CometApi)?)?)))
    {
        let mut found = snapshot(inner, id, status);
        found.error = found.error.or_else(|| chain.iter().find_map(|o| text(o.get("fail_reason"))));
        return Some(found);
    }
    let status = chain.iter().find_map(|o| status_of(o, Dialect::CometApi))?;
    Some(snapshot(task, id, status))
}

/// The objects inside one another's `data`, outermost first, the envelope left out.
fn descend(outer: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    std::iter::successors(data(outer), |o| data(o)).take(DEPTH).collect()
}

fn data(object: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object.get("data")?.as_object()
}

fn known(status: Status) -> Option<Status> {
    (!matches!(status, Status::Other(_))).then_some(status)
}

fn status_of(object: &Map<String, Value>, dialect: Dialect) -> Option<Status> {
    let word = object.get("status")?.as_str()?;
    Some(match dialect {
        Dialect::Replicate => Status::parse(word),
        Dialect::CometApi => comet_status(word),
    })
}

/// The words of CometAPI and of gateways of its family, in any case.
fn comet_status(word: &str) -> Status {
    match word.to_ascii_lowercase().as_str() {
        "success" => Status::Succeeded,
        "failure" => Status::Failed,
        "cancelled" => Status::Canceled,
        "not_start" | "submitted" | "queued" => Status::Starting,
        "in_progress" => Status::Processing,
        other => match Status::parse(other) {
            Status::Other(_) => Status::Other(word.to_owned()),
            status => status,
        },
    }
}

fn id_of(object: &Map<String, Value>, asked: Option<&PredictionId>) -> Option<PredictionId> {
    asked.cloned().or_else(|| {
        let id = text(object.get("id")).or_else(|| text(object.get("task_id")))?;
        is_segment(&id).then_some(PredictionId(id))
    })
}

fn snapshot(object: &Map<String, Value>, id: PredictionId, status: Status) -> Snapshot {
    let time = |name: &str| time(object.get(name)?);
    Snapshot {
        id,
        status,
        output: object.get("output").filter(|v| !v.is_null()).cloned(),
        error: words(object.get("error")).or_else(|| text(object.get("fail_reason"))),
        logs: text(object.get("logs")),
        metrics: object.get("metrics").filter(|v| v.is_object()).cloned(),
        created_at: time("created_at"),
        started_at: time("started_at"),
        completed_at: time("completed_at"),
        data_removed: object.get("data_removed").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// A time as servers write it, with its offset from UTC.
pub(super) fn time(text: &Value) -> Option<Timestamp> {
    text.as_str()?.parse().ok()
}

/// An error is text by the books, and an object in practice too.
fn words(error: Option<&Value>) -> Option<String> {
    match error? {
        Value::Null => None,
        Value::String(_) => text(error),
        Value::Object(o) => {
            text(o.get("detail")).or_else(|| text(o.get("message"))).or_else(|| Some(error?.to_string()))
        }
        other => Some(other.to_string()),
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|s| !s.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn comet(body: &Value) -> Snapshot {
        read(body, Dialect::CometApi, Some(&PredictionId("asked".into()))).unwrap()
    }

    #[test]
    fn pitfall_57_a_wrapped_answer_gives_the_innermost_prediction() {
        let found = comet(&json!({
            "code": "success", "message": "",
            "data": { "task_id": "t1", "status": "SUCCESS", "progress": "100%", "fail_reason": "",
                "data": { "id": "p1", "status": "succeeded", "output": "https://x/out.png", "logs": "" } }
        }));
        assert_eq!((found.id.0.as_str(), found.status), ("asked", Status::Succeeded));
        assert_eq!((found.output, found.error, found.logs), (Some(json!("https://x/out.png")), None, None));
    }

    #[test]
    fn pitfall_57_a_task_without_a_prediction_speaks_for_itself() {
        let of = |status: &str| {
            comet(&json!({ "data": { "task_id": "t1", "status": status, "data": null } })).status
        };
        assert_eq!(
            [
                "SUCCESS",
                "Succeeded",
                "FAILURE",
                "FAILED",
                "NOT_START",
                "SUBMITTED",
                "QUEUED",
                "IN_PROGRESS",
                "PROCESSING"
            ]
            .map(of),
            [
                Status::Succeeded,
                Status::Succeeded,
                Status::Failed,
                Status::Failed,
                Status::Starting,
                Status::Starting,
                Status::Starting,
                Status::Processing,
                Status::Processing,
            ]
        );
        assert_eq!(of("PAUSED"), Status::Other("PAUSED".into()));
    }

    #[test]
    fn pitfall_57_the_reason_of_a_failure_may_stand_on_the_task_alone() {
        let found = comet(&json!({ "data": { "status": "FAILURE", "fail_reason": "flagged (E005)",
            "data": { "status": "failed", "error": null } } }));
        assert_eq!((found.status, found.error.as_deref()), (Status::Failed, Some("flagged (E005)")));
    }

    #[test]
    fn pitfall_57_a_flat_answer_of_a_gateway_is_read_in_any_case() {
        assert_eq!(comet(&json!({ "id": "p1", "status": "SUCCEEDED" })).status, Status::Succeeded);
        let replicate =
            read(&json!({ "id": "p1", "status": "SUCCEEDED" }), Dialect::Replicate, None).unwrap();
        assert_eq!(replicate.status, Status::Other("SUCCEEDED".into()));
    }

    #[test]
    fn pitfall_4_an_unknown_status_is_kept_and_not_terminal() {
        let found = read(&json!({ "id": "p1", "status": "queued" }), Dialect::Replicate, None).unwrap();
        assert_eq!(found.status, Status::Other("queued".into()));
        assert!(!found.status.is_terminal());
    }

    #[test]
    fn pitfall_23_every_end_is_an_end() {
        for status in ["succeeded", "failed", "canceled", "aborted"] {
            let found = read(&json!({ "id": "p1", "status": status }), Dialect::Replicate, None).unwrap();
            assert!(found.status.is_terminal(), "{status}");
        }
    }

    #[test]
    fn pitfall_5_a_running_prediction_with_output_is_still_running() {
        let found = read(
            &json!({ "id": "p", "status": "processing", "output": ["https://x/1"] }),
            Dialect::Replicate,
            None,
        );
        assert_eq!(found.unwrap().status, Status::Processing);
    }

    #[test]
    fn pitfall_42_every_shape_of_output_is_taken_as_it_is() {
        for output in [json!("https://x/1"), json!(["https://x/1"]), json!({ "a": ["data:,x"] }), json!(1.5)]
        {
            let found = read(
                &json!({ "id": "p", "status": "succeeded", "output": output }),
                Dialect::Replicate,
                None,
            );
            assert_eq!(found.unwrap().output, Some(output));
        }
        let found =
            read(&json!({ "id": "p", "status": "succeeded", "output": null }), Dialect::Replicate, None);
        assert_eq!(found.unwrap().output, None);
    }

    #[test]
    fn pitfall_19_an_empty_error_is_no_error_text() {
        for error in [json!(""), json!(null)] {
            let found =
                read(&json!({ "id": "p", "status": "failed", "error": error }), Dialect::Replicate, None);
            assert_eq!(found.unwrap().error, None);
        }
    }

    #[test]
    fn what_holds_no_prediction_gives_none() {
        for body in [
            json!([]),
            json!({}),
            json!({ "id": "p" }),
            json!({ "status": "starting" }),
            json!({ "data": {} }),
        ] {
            assert_eq!(read(&body, Dialect::CometApi, None), None);
        }
    }

    #[test]
    fn pitfall_37_an_output_that_was_deleted_is_told_from_one_that_never_was() {
        let of = |removed: bool| {
            let body = json!({ "id": "p", "status": "succeeded", "output": null, "data_removed": removed });
            read(&body, Dialect::Replicate, None).unwrap()
        };
        assert_eq!([of(true).data_removed, of(false).data_removed], [true, false]);
    }

    #[test]
    fn everything_else_may_be_missing_or_odd() {
        let found = read(
            &json!({ "id": "p", "status": "succeeded", "created_at": "2026-05-04T09:15:02.118Z", "started_at": 5,
                     "metrics": { "predict_time": 0.94 }, "error": { "detail": "no" }, "data_removed": true }),
            Dialect::Replicate,
            None,
        )
        .unwrap();
        assert_eq!(found.predict_seconds(), Some(0.94));
        assert_eq!(found.created_at.unwrap().to_string(), "2026-05-04T09:15:02.118Z");
        assert_eq!((found.started_at, found.error.as_deref(), found.data_removed), (None, Some("no"), true));
    }
}
