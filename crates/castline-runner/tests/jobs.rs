//! Jobs on the sandbox: plan, run, run again.

use std::fs;
use std::path::Path;

use castline_core::event::RunStatus;
use castline_core::forecast::Fate;
use castline_runner::{Interrupt, Job, Wishes};
use tokio::sync::watch;

const BOAT: &str = r#"
inputs:
  styles: { type: array, items: { type: string }, default: [ukiyo-e, linocut] }
steps:
  draft:
    uses: flux-schnell
    with: { prompt: A paper boat., megapixels: "0.25" }
  styled:
    uses: flux-kontext-pro
    from: draft
    each: { style: "{{ inputs.styles }}" }
    with: { prompt: "Redo as {{ each.style }}." }
    save: "{{ each.style }}"
  sheet:
    uses: std/contact-sheet
    from: styled.all
outputs:
  sheet: "{{ steps.sheet.image }}"
"#;

fn wishes() -> Wishes {
    Wishes { provider: Some("sandbox".to_owned()), ..Wishes::default() }
}

async fn run(file: &Path) -> castline_core::record::RunRecord {
    let job = Job::plan(file, &wishes()).await.expect("planned");
    assert!(!job.diagnostics.has_errors(), "{:#?}", job.diagnostics);
    let (_keep, interrupt) = watch::channel(Interrupt::No);
    job.run(Box::new(|_| ()), interrupt).await.expect("ran").record
}

#[tokio::test]
async fn a_second_run_reuses_everything_and_an_edit_runs_what_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boat.yaml");
    fs::write(&file, BOAT).unwrap();
    let first = run(&file).await;
    assert_eq!(first.status, Some(RunStatus::Succeeded), "{first:#?}");
    assert_eq!(first.legs.iter().filter(|l| l.reused).count(), 0);
    for name in ["sheet.png", "ukiyo-e.png", "linocut.png"] {
        assert!(folder.path().join("out/boat").join(name).is_file(), "{name}: {first:#?}");
    }
    let second = run(&file).await;
    assert!(second.legs.iter().all(|l| l.reused), "{second:#?}");

    fs::write(&file, BOAT.replace("linocut", "bauhaus")).unwrap();
    let job = Job::plan(&file, &wishes()).await.unwrap();
    let forecast = job.forecast.as_ref().unwrap();
    let fates: Vec<_> = forecast
        .plan
        .order()
        .into_iter()
        .filter(|leg| !matches!(forecast.fate(*leg), Fate::Hit(..)))
        .map(|leg| forecast.plan.leg_name(leg))
        .collect();
    assert_eq!(fates, ["styled[style=bauhaus]", "sheet"]);
}

#[tokio::test]
async fn a_lost_file_of_the_store_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boat.yaml");
    fs::write(&file, "steps:\n  a: { uses: flux-schnell, with: { prompt: x, megapixels: '0.25' } }\n")
        .unwrap();
    run(&file).await;
    fs::remove_dir_all(folder.path().join(".castline/blobs/sha256")).unwrap();
    let again = run(&file).await;
    assert_eq!(again.status, Some(RunStatus::Succeeded), "{again:#?}");
    assert!(!again.legs[0].reused);
}
