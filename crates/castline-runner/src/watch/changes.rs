//! Changes of files, heard of once they are over.
//!
//! Folders are watched and not files: an editor that saves by renaming, or a checkout, leaves
//! another file under the same name. What the system tells is only a sign to look again, and what
//! it does not tell is seen when the files are looked at, which happens now and then in any case:
//! network folders tell nothing, and a folder may be exchanged as a whole.
//!
//! Start reading at [`Changes::next`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::looked::{Looked, Stamps, Watched};
use crate::project::shown;

/// How often files are looked at that nobody tells of.
const LOOK: Duration = Duration::from_secs(2);
/// The same where nobody ever tells.
const POLL: Duration = Duration::from_millis(200);
/// Writing that does not end is looked at all the same after so many times the quiet.
const MOST_QUIETS: u32 = 20;

/// What happens to the files of several scenes.
pub(crate) struct Changes {
    watcher: Option<RecommendedWatcher>,
    told: mpsc::UnboundedReceiver<notify::Result<Event>>,
    places: BTreeSet<PathBuf>,
    scenes: Vec<Scene>,
    /// Scenes of which something has changed, not over yet.
    changed: BTreeSet<usize>,
    /// When it began, and when it is over if nothing more happens.
    due: Option<(Instant, Instant)>,
    quiet: Duration,
    look: Interval,
    /// What is to be said once.
    troubles: Vec<String>,
    said: bool,
}

/// What one scene looks at.
#[derive(Default)]
struct Scene {
    looked: Looked,
    watched: Watched,
    stamps: Stamps,
}

impl Changes {
    /// Of so many scenes. A change is over after `quiet`; with `poll` files are only looked at.
    pub(crate) fn new(scenes: usize, quiet: Duration, poll: bool) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let hear = move |event| drop(tell.send(event));
        let (watcher, troubles) = match poll {
            true => (None, Vec::new()),
            false => match notify::recommended_watcher(hear) {
                Ok(watcher) => (Some(watcher), Vec::new()),
                Err(error) => {
                    let why =
                        format!("the system tells of no changes ({error}); files are looked at instead");
                    (None, vec![why])
                }
            },
        };
        let often = if watcher.is_some() { LOOK } else { POLL };
        let mut look = interval(often);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            // Who looks hears of the end of a burst only with the next look.
            quiet: if watcher.is_some() { quiet } else { quiet.max(POLL + POLL / 2) },
            watcher,
            told,
            places: BTreeSet::new(),
            scenes: (0..scenes).map(|_| Scene::default()).collect(),
            changed: BTreeSet::new(),
            due: None,
            look,
            troubles,
            said: false,
        }
    }

    /// What could not be watched, once.
    pub(crate) fn troubles(&mut self) -> Vec<String> {
        std::mem::take(&mut self.troubles)
    }

    /// Remembers how a scene's files are, before they are read.
    pub(crate) fn mark(&mut self, scene: usize) {
        let scene = &mut self.scenes[scene];
        scene.stamps = scene.looked.stamps();
    }

    /// From now on a scene looks at this. True when it has to be read again: something of it was
    /// not followed while it was read, or has changed meanwhile.
    pub(crate) fn follow(&mut self, scene: usize, looked: Looked) -> bool {
        let watched = looked.watched();
        let stamps = looked.stamps();
        let before = std::mem::replace(&mut self.scenes[scene], Scene { looked, watched, stamps });
        let wanted: BTreeSet<_> = self.scenes.iter().flat_map(|scene| scene.watched.places.clone()).collect();
        for gone in self.places.difference(&wanted) {
            if let Some(watcher) = &mut self.watcher {
                // It is perhaps not there any more.
                let _ = watcher.unwatch(gone);
            }
        }
        self.places.retain(|place| wanted.contains(place));
        for place in wanted.difference(&self.places.clone()) {
            self.watch(place);
        }
        before.stamps != self.scenes[scene].stamps
    }

    fn watch(&mut self, place: &Path) {
        if let Some(Err(error)) = self.watcher.as_mut().map(|w| w.watch(place, RecursiveMode::NonRecursive)) {
            self.unwatchable(&error, Some(place));
        }
        self.places.insert(place.to_owned());
    }

    /// Nothing is lost: the files are looked at all the same, only later.
    fn unwatchable(&mut self, error: &notify::Error, place: Option<&Path>) {
        if std::mem::replace(&mut self.said, true) {
            return;
        }
        let why = match error.kind {
            ErrorKind::MaxFilesWatch => {
                "the system watches no more folders (fs.inotify.max_user_watches)".to_owned()
            }
            _ => error.to_string(),
        };
        let what = place.map_or_else(|| "some changes".to_owned(), |place| format!("`{}`", shown(place)));
        let seconds = LOOK.as_secs();
        self.troubles
            .push(format!("{what} cannot be watched: {why}; its files are looked at every {seconds} s"));
    }

    /// Waits until something has changed and everything is quiet again; answers the scenes that it
    /// concerns. Nothing is lost when it is not waited for to the end.
    pub(crate) async fn next(&mut self) -> BTreeSet<usize> {
        loop {
            let due = self.due;
            let over = async {
                match due {
                    Some((_, due)) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(event) = self.told.recv() => self.hear(event),
                () = over => {
                    self.due = None;
                    return std::mem::take(&mut self.changed);
                }
                _ = self.look.tick() => self.look(),
            }
        }
    }

    fn hear(&mut self, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.unwatchable(&error, None),
        };
        if event.need_rescan() {
            return self.note((0..self.scenes.len()).collect());
        }
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Data(_)) => {}
            // We read them ourselves.
            EventKind::Access(_) => return,
            // A folder that went is not watched any more, even if it has come back.
            _ => self.places.retain(|place| !event.paths.contains(place)),
        }
        let concerned = |scene: &Scene| event.paths.iter().any(|path| scene.watched.concerns(path));
        let scenes = self.scenes.iter().enumerate().filter(|(_, scene)| concerned(scene));
        self.note(scenes.map(|(number, _)| number).collect());
    }

    /// Looks at the files themselves.
    fn look(&mut self) {
        let mut changed = BTreeSet::new();
        for (number, scene) in self.scenes.iter_mut().enumerate() {
            let stamps = scene.looked.stamps();
            if std::mem::replace(&mut scene.stamps, stamps.clone()) != stamps {
                changed.insert(number);
            }
        }
        self.note(changed);
    }

    fn note(&mut self, scenes: BTreeSet<usize>) {
        if scenes.is_empty() {
            return;
        }
        self.changed.extend(scenes);
        let now = Instant::now();
        let began = self.due.map_or(now, |(began, _)| began);
        self.due = Some((began, (now + self.quiet).min(began + self.quiet * MOST_QUIETS)));
    }
}
