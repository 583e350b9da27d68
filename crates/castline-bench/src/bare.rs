//! The same predictions with nothing but requests: what there is to compare with.
//!
//! Create, ask every so often, download into a file. No check, no ledger, no retry and nothing
//! durable: what castline takes beyond this is what its promises cost.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Wrong;

/// Makes predictions with nothing but requests.
#[derive(Debug, Args)]
pub(crate) struct Bare {
    /// Where the API is
    #[arg(long)]
    url: String,
    /// How many predictions
    #[arg(long)]
    count: usize,
    /// How many at once
    #[arg(long, default_value_t = 1)]
    parallel: usize,
    /// Each needs the output of the one before
    #[arg(long)]
    chain: bool,
    /// Milliseconds between two questions
    #[arg(long, default_value_t = 50)]
    poll: u64,
    /// Where the outputs go
    #[arg(long)]
    out: PathBuf,
}

impl Bare {
    /// Does it.
    pub(crate) fn perform(&self) -> Result<(), Wrong> {
        // Fails when somebody installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        std::fs::create_dir_all(&self.out)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(if self.chain {
            futures_util::future::Either::Left(self.one_by_one())
        } else {
            futures_util::future::Either::Right(self.at_once())
        })
    }

    fn client() -> Result<Client, Wrong> {
        Ok(Client::builder().no_proxy().tls_certs_only([]).build()?)
    }

    async fn one_by_one(&self) -> Result<(), Wrong> {
        let (client, poll) = (Self::client()?, Duration::from_millis(self.poll));
        let mut image = None;
        for number in 0..self.count {
            let input = json!({ "prompt": format!("step {number}"), "input_image": image });
            image = Some(
                predict(&client, &self.url, &input, poll, &self.out.join(format!("{number}.png"))).await?,
            );
        }
        Ok(())
    }

    async fn at_once(&self) -> Result<(), Wrong> {
        let (client, poll) = (Self::client()?, Duration::from_millis(self.poll));
        let places = Arc::new(Semaphore::new(self.parallel));
        let mut all = JoinSet::new();
        for number in 0..self.count {
            let place = places.clone().acquire_owned().await?;
            let (client, url, out) =
                (client.clone(), self.url.clone(), self.out.join(format!("{number}.png")));
            all.spawn(async move {
                let input = json!({ "prompt": format!("A paper boat, number {number}.") });
                let done = predict(&client, &url, &input, poll, &out).await;
                drop(place);
                done
            });
        }
        while let Some(done) = all.join_next().await {
            done??;
        }
        Ok(())
    }
}

/// One prediction; the address of its output.
async fn predict(
    client: &Client,
    url: &str,
    input: &Value,
    poll: Duration,
    to: &Path,
) -> Result<String, Wrong> {
    let create = format!("{url}/models/black-forest-labs/flux-schnell/predictions");
    let mut prediction: Value =
        client.post(create).json(&json!({ "input": input })).send().await?.error_for_status()?.json().await?;
    let get = format!("{url}/predictions/{}", prediction["id"].as_str().ok_or("no id")?);
    let output = loop {
        match prediction["status"].as_str() {
            Some("succeeded") => break prediction["output"][0].as_str().ok_or("no output")?.to_owned(),
            Some("starting" | "processing") => {}
            other => return Err(format!("a prediction is {other:?}").into()),
        }
        tokio::time::sleep(poll).await;
        prediction = client.get(&get).send().await?.error_for_status()?.json().await?;
    };
    let mut bytes = client.get(&output).send().await?.error_for_status()?.bytes_stream();
    let mut file = Vec::new();
    while let Some(chunk) = bytes.next().await {
        file.extend_from_slice(&chunk?);
    }
    tokio::fs::write(to, file).await?;
    Ok(output)
}
