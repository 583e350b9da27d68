//! Jobs over HTTP, against the sandbox behind the Replicate routes, in this process.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use castline_core::ModelRef;
use castline_core::event::RunStatus;
use castline_core::record::RunRecord;
use castline_core::request::OutputShape;
use castline_core::results::LegStatus;
use castline_runner::{Interrupt, Job, Trouble, Wishes, presets};
use castline_server::{ModelInfo, SandboxServer, ServerOptions};
use castline_spec::preset::Body;
use tokio::sync::{oneshot, watch};

const BOAT: &str = r#"
steps:
  boat:
    uses: flux-schnell
    with: { prompt: A paper boat., megapixels: "0.25" }
  styled:
    uses: flux-kontext-pro
    from: boat
    each: { style: [linocut, watercolor] }
    with: { prompt: "Redo as {{ each.style }}.", output_format: jpg }
outputs:
  styled: "{{ steps.styled.all.image }}"
"#;

fn known(model: &ModelRef) -> Option<ModelInfo> {
    let project = castline_runner::Project::near(&std::env::temp_dir()).0;
    let (preset, _) = presets::find(&project, &model.name)?;
    let Body::Model(body) = &preset.body else { return None };
    Some(ModelInfo {
        schema: Some(body.input.value.clone()),
        task: preset.task.clone(),
        output: OutputShape::from(&body.output),
        typical_seconds: preset.typical_seconds,
    })
}

/// A server with these faults, and a project that uses it.
struct World {
    folder: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

impl World {
    fn new(faults: &[&str]) -> Self {
        let mut options = ServerOptions::new(Arc::new(known));
        options.foreign_urls = true;
        options.faults = faults.iter().map(|f| f.parse().expect("a fault")).collect();
        let server = SandboxServer::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options).expect("bound");
        let folder = tempfile::tempdir().expect("a folder");
        let project = format!(
            "provider: local\nproviders:\n  local: {{ kind: replicate, base_url: \"http://{}/replicate/v1\" }}\n",
            server.addr()
        );
        fs::write(folder.path().join("castline.yaml"), project).expect("written");
        fs::write(folder.path().join("boat.yaml"), BOAT).expect("written");
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { folder, _stop: stop }
    }

    async fn run(&self) -> Result<RunRecord, Trouble> {
        let job = Job::plan(&self.folder.path().join("boat.yaml"), &Wishes::default()).await?;
        assert!(!job.diagnostics.has_errors(), "{:#?}", job.diagnostics);
        let (_keep, interrupt) = watch::channel(Interrupt::No);
        Box::pin(job.run(Box::new(|_| ()), interrupt)).await.map(|over| over.record)
    }
}

#[tokio::test]
async fn a_chain_over_http_is_paid_for_and_then_reused() {
    let world = World::new(&[]);
    let first = world.run().await.unwrap();
    assert_eq!(first.status, Some(RunStatus::Succeeded), "{first:#?}");
    assert_eq!(first.totals.cost.to_string(), "0.083 USD");
    assert!(world.folder.path().join("out/boat/styled/linocut.jpg").is_file());
    let second = world.run().await.unwrap();
    assert!(second.legs.iter().all(|l| l.reused));
    assert_eq!(second.totals.cost.to_string(), "0.00 USD");
    assert_eq!(second.totals.saved.to_string(), "0.083 USD");
}

#[tokio::test]
async fn passing_faults_are_waited_out() {
    let world =
        World::new(&["create:429=1*1", "get:500*2", "get:html*1", "output:truncated*1", "status:unknown*1"]);
    let record = world.run().await.unwrap();
    assert_eq!(record.status, Some(RunStatus::Succeeded), "{record:#?}");
}

#[tokio::test]
async fn a_failed_prediction_is_created_again_in_the_next_run() {
    let world = World::new(&["predict:fail=The input was flagged as sensitive. (E005)*1"]);
    let first = world.run().await.unwrap();
    assert_eq!(first.status, Some(RunStatus::Failed));
    let failed: Vec<_> = first.legs.iter().filter(|l| l.status == LegStatus::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].failure.as_ref().unwrap().message.contains("flagged"), "{failed:#?}");
    assert!(first.legs.iter().any(|l| l.status == LegStatus::NotRun));
    let second = world.run().await.unwrap();
    assert_eq!(second.status, Some(RunStatus::Succeeded), "{second:#?}");
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_adopted() {
    let world = World::new(&["create:drop-after*1"]);
    let record = world.run().await.unwrap();
    assert_eq!(record.status, Some(RunStatus::Succeeded), "{record:#?}");
    assert_eq!(record.totals.cost.to_string(), "0.083 USD");
}

#[tokio::test]
async fn a_budget_refuses_before_the_first_create() {
    let world = World::new(&[]);
    let wishes = Wishes { budget: castline_core::MicroUsd::from_usd(0.001), ..Wishes::default() };
    let job = Job::plan(&world.folder.path().join("boat.yaml"), &wishes).await.unwrap();
    let (_keep, interrupt) = watch::channel(Interrupt::No);
    let trouble = job.run(Box::new(|_| ()), interrupt).await.map(|over| over.record).unwrap_err();
    assert_eq!(trouble.exit_code(), 3, "{trouble}");
}
