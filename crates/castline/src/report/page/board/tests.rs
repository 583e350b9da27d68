use castline_server::{News, Page};
use serde_json::{Value as Json, json};

use super::Board;
use crate::report::testing::{digest, entry, events, file, leg, request};

fn whole(board: &Board) -> Json {
    serde_json::from_str(&board.follow().0).expect("JSON")
}

/// What the page's scripts do with a patch.
fn take(state: &mut Json, patch: &str) {
    let patch: Json = serde_json::from_str(patch).expect("JSON");
    assert_eq!(patch["seq"], state["seq"].as_u64().expect("a number") + 1, "nothing is missed");
    for (key, value) in patch.as_object().expect("a map") {
        match key.as_str() {
            "legs" => {
                let legs = state["legs"].as_array_mut().expect("a list");
                for leg in value.as_array().expect("a list") {
                    match legs.iter_mut().find(|one| one["name"] == leg["name"]) {
                        Some(one) => *one = leg.clone(),
                        None => legs.push(leg.clone()),
                    }
                }
            }
            "files" => value.as_object().expect("a map").iter().for_each(|(digest, place)| {
                state["files"][digest] = place.clone();
            }),
            _ => state[key] = value.clone(),
        }
    }
}

#[test]
fn whoever_takes_every_patch_knows_as_much_as_whoever_asks_at_the_end() {
    for together in 1..6 {
        let board = Board::of_run("boat.yaml");
        let (first, mut news) = board.follow();
        let mut state: Json = serde_json::from_str(&first).expect("JSON");
        for some in events().chunks(together) {
            some.iter().for_each(|entry| board.heard(entry));
            board.tell();
            // Somebody who comes later keeps nothing from those who were there.
            whole(&board);
            while let Ok(told) = news.try_recv() {
                match told {
                    News::Patch(patch) => take(&mut state, &patch),
                    News::State(told) => state = serde_json::from_str(&told).expect("JSON"),
                    News::End => panic!("it is not over"),
                }
            }
        }
        assert_eq!(state, whole(&board), "told of {together} at once");
    }
}

#[test]
fn nothing_is_told_when_nothing_is_new() {
    let board = Board::of_run("boat.yaml");
    let (_, mut news) = board.follow();
    board.tell();
    assert!(news.try_recv().is_err());
}

#[test]
fn what_a_leg_gave_before_stays_beside_what_it_gives_now() {
    let board = Board::of_run("boat.yaml");
    let gives = |seq: usize, c: char| {
        let succeeded = json!({
            "type": "leg-succeeded", "leg": leg("draft", &json!({})), "output": file(c, "image/png"),
            "prediction": "p", "cost": 0, "estimate": null, "predict_seconds": 1.0,
        });
        entry(seq, succeeded)
    };
    board.heard(&gives(0, 'a'));
    assert_eq!(whole(&board)["legs"][0]["before"], Json::Null);
    board.heard(&gives(1, 'b'));
    let started = json!({
        "type": "leg-started", "leg": leg("draft", &json!({})), "attempt": 1, "request": request("A boat.", &json!({})),
        "estimate": null,
    });
    board.heard(&entry(2, started));
    let state = whole(&board);
    assert_eq!(state["legs"][0]["before"]["output"]["digest"], digest('a'));
    // The same again is no change.
    board.heard(&gives(3, 'b'));
    assert_eq!(whole(&board)["legs"][0]["before"]["output"]["digest"], digest('a'));
}

#[test]
fn only_files_that_are_shown_are_served_and_under_the_name_that_they_were_saved_by() {
    let board = Board::of_run("boat.yaml");
    events().iter().for_each(|entry| board.heard(entry));
    let state = whole(&board);
    assert_eq!(state["files"][digest('b')]["name"], "ukiyo e.png");
    assert_eq!(state["files"][digest('a')]["url"], format!("file/{}", "a".repeat(64)));
    let digest = |c| digest(c).parse().expect("a digest");
    assert_eq!(board.file(&digest('b')).expect("shown").1.as_str(), "image/png");
    assert!(board.file(&digest('c')).is_none());
}

#[test]
fn a_run_says_what_it_costs_while_it_goes_on() {
    let board = Board::of_run("boat.yaml");
    let stands = |n: usize| {
        events()[..n].iter().for_each(|entry| board.heard(entry));
        let run = whole(&board)["run"].clone();
        (run["status"].clone(), run["money"].clone(), run["reserved_usd"].clone())
    };
    assert_eq!(stands(0), ("waiting".into(), "".into(), Json::Null));
    assert_eq!(stands(4), ("running".into(), "nothing to pay so far".into(), 0.08.into()));
    assert_eq!(stands(events().len()).0, "failed");
}
