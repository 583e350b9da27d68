//! What a live page knows of one workflow, kept up to date by what happens.
//!
//! Start reading at [`Board::heard`]; what a watch tells besides comes in at [`Board::watched`], and the
//! routes are those of `castline_server::PageServer`.

mod scene;
mod watching;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use castline_core::event::Entry;
use castline_core::plan::Plan;
use castline_core::record::RunRecord;
use castline_core::{Digest, MediaType};
use castline_runner::{Layout, Project};
use castline_server::{News, Page};
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::state::{Other, Watched};
use super::{Parts, join, policy};
use scene::{Fresh, Scene};

/// A browser that is further behind is told everything anew.
const BEHIND: usize = 256;

/// What happens within this time is told together.
const TOGETHER: Duration = Duration::from_millis(30);

/// One workflow on a live page.
pub(crate) struct Board {
    /// Its file, as the user named it; stands for its name until that is known.
    file: String,
    /// Pages of other workflows that are watched at once.
    others: Vec<Other>,
    scene: Mutex<Scene>,
    /// Rings when there is something new in the scene.
    bell: Notify,
    tell: Sender<News>,
    /// How often somebody began to follow it.
    followers: watch::Sender<usize>,
}

impl Board {
    /// An empty page of a run.
    pub(crate) fn of_run(file: &str) -> Arc<Self> {
        Self::new(file, Vec::new(), None)
    }

    /// An empty page of a workflow that is watched.
    pub(crate) fn of_watch(file: &str, others: Vec<Other>) -> Arc<Self> {
        Self::new(file, others, Some(Watched::default()))
    }

    fn new(file: &str, others: Vec<Other>, watched: Option<Watched>) -> Arc<Self> {
        Arc::new(Self {
            file: file.to_owned(),
            others,
            scene: Mutex::new(Scene::new(file, watched)),
            bell: Notify::new(),
            tell: broadcast::channel(BEHIND).0,
            followers: watch::Sender::new(0),
        })
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run of this plan begins.
    pub(crate) fn begins(&self, plan: &Plan, project: &Project) {
        self.scene().begin(plan, project.store());
    }

    /// Something happened in the run that began last.
    pub(crate) fn heard(&self, entry: &Entry) {
        self.scene().take(entry);
        self.bell.notify_one();
    }

    /// The run that began last is over; its record knows more than was heard.
    pub(crate) fn ended(&self, record: &RunRecord) {
        self.scene().explain(record);
        self.bell.notify_one();
    }

    /// Tells what is new to everybody who looks, as long as the process lives.
    pub(crate) async fn flow(self: Arc<Self>) {
        loop {
            self.bell.notified().await;
            sleep(TOGETHER).await;
            self.tell();
        }
    }

    fn tell(&self) {
        let mut scene = self.scene();
        let news = match scene.news() {
            Fresh::Nothing => return,
            Fresh::Some(patch) => News::Patch(patch.to_string().into()),
            Fresh::All => News::State(self.whole(&scene)),
        };
        let _ = self.tell.send(news);
    }

    /// Everything, to tell it to somebody.
    fn whole(&self, scene: &Scene) -> Arc<str> {
        scene.whole(&self.file, &self.others).to_string().into()
    }

    /// Tells that there will be no more.
    pub(crate) fn end(&self) {
        self.tell();
        let _ = self.tell.send(News::End);
    }

    /// True while somebody looks at it.
    pub(crate) fn is_followed(&self) -> bool {
        self.tell.receiver_count() > 0
    }

    /// Waits until nobody looks at it any more.
    pub(crate) async fn last_follower(&self) {
        self.tell.closed().await;
    }

    /// Waits until somebody has begun to look at it.
    pub(crate) async fn first_follower(&self) {
        let _ = self.followers.subscribe().wait_for(|followers| *followers > 0).await;
    }
}

impl Page for Board {
    fn document(&self) -> (String, String) {
        let state = self.whole(&self.scene());
        let plain = "<p>This page needs scripts: it shows what happens while it happens.</p>";
        let policy = policy("'self'");
        (join(&Parts { title: &self.file, plain, state: &state, policy: &policy }), policy)
    }

    fn follow(&self) -> (Arc<str>, Receiver<News>) {
        let scene = self.scene();
        let news = self.tell.subscribe();
        self.followers.send_modify(|followers| *followers += 1);
        // What is in it and not told yet comes once more with the next patch, and changes nothing then.
        (self.whole(&scene), news)
    }

    fn file(&self, digest: &Digest) -> Option<(PathBuf, MediaType)> {
        let scene = self.scene();
        let place = scene.files.get(&digest.to_string())?;
        Some((Layout::of(&scene.store).blob(digest), MediaType::new(place.media_type.clone())))
    }
}

#[cfg(test)]
mod tests;
