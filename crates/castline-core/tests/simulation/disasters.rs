//! What goes wrong for processes and machines, and what people do about it.
//!
//! Start reading at [`World::disaster`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use castline_core::forecast::Fate;
use castline_core::ledger::{Ask, Claim, Entry, OwnerId, Ruling, RunId, State};
use castline_core::run::Input;
use jiff::SignedDuration;

use crate::invariants::{Broken, Holds};
use crate::planted::Bug;
use crate::provider::{Files, Made, wire};
use crate::world::{Happening, World};

impl World<'_> {
    /// Something may go wrong for a process; true when it is dead.
    pub fn disaster(&mut self, process: usize) -> Result<bool, Broken> {
        if self.calm {
            return Ok(false);
        }
        let faults = self.scenario.faults;
        if self.power_cuts < 3 && self.chance.happens(faults.power_cuts) {
            self.power_cut();
            return Ok(true);
        }
        if self.chance.happens(faults.clock_steps) {
            let seconds = self.chance.time(Duration::ZERO, Duration::from_mins(50)).as_secs() as i64;
            let wall = SignedDuration::from_secs(*self.chance.one_of(&[0, seconds, -seconds]));
            self.wall = wall;
            self.note("clock is set", format_args!("to {wall:?} of the true time"));
        }
        if self.chance.happens(faults.crashes) {
            self.die(process, "is killed");
            return Ok(true);
        }
        if self.chance.happens(faults.freezes) && !self.processes[process].is_sending() {
            let until = self.now() + self.chance.time(Duration::from_secs(30), Duration::from_mins(20));
            let owner = self.processes[process].owner.clone();
            self.note("freezes", format_args!("{owner} until {until}"));
            self.processes[process].frozen = Some(until);
            self.store.free_lock(&owner);
            self.wake();
        }
        if self.chance.happens(faults.stops) {
            self.stop_run(process)?;
        }
        Ok(!self.processes[process].alive)
    }

    fn stop_run(&mut self, process: usize) -> Holds {
        if self.processes[process].run.is_none() || self.processes[process].stopping {
            return Ok(());
        }
        let how = self.chance.below(4);
        if how == 3 {
            return self.supersede(process);
        }
        let owner = self.processes[process].owner.clone();
        self.note("stops", format_args!("{owner} {}", ["gently", "at once", "by a cancel"][how]));
        self.stop_unsent(process);
        if how == 1 {
            self.clock.after(Duration::from_millis(700), Happening::Quit(process));
        }
        self.take(process, if how == 2 { Input::Cancel } else { Input::Interrupt })
    }

    /// Another plan takes the place of the one that runs, as after an edit; it may be the same again.
    fn supersede(&mut self, process: usize) -> Holds {
        let other = self.chance.below(self.runs.len());
        let (forecast, _) = self.forecast(other);
        let key = |leg| match forecast.fate(leg) {
            Fate::Run(ready, _) | Fate::Same(ready, _) => Some(ready.request.key),
            _ => None,
        };
        let wanted: Arc<BTreeSet<_>> = Arc::new(forecast.plan.predictions().filter_map(key).collect());
        let as_of = self.shown();
        let owner = self.processes[process].owner.clone();
        self.note("makes way", format_args!("{owner} for run {other}, which wants {} keys", wanted.len()));
        self.processes[process].makes_way = Some(wanted.clone());
        let told = match self.is_planted(Bug::NothingIsWanted) {
            true => Arc::default(),
            false => wanted,
        };
        self.clock.after(Duration::from_millis(1), Happening::Run(other));
        self.take(process, Input::Superseded { wanted: told, as_of })
    }

    /// A process ends, whatever it was at.
    pub fn die(&mut self, process: usize, how: &str) {
        let owner = self.processes[process].owner.clone();
        self.note("dies", format_args!("{owner} {how}"));
        let dead = &mut self.processes[process];
        dead.alive = false;
        dead.tasks.clear();
        let run = dead.wanted;
        self.store.free_lock(&owner);
        for provider in 0..self.slots.len() {
            self.slots[provider].taken.retain(|task| task.process != process);
            self.next_in_line(provider);
        }
        self.wake();
        if self.runs[run].process == Some(process) {
            self.runs[run].process = None;
            self.take_up(run);
        }
    }

    /// Somebody runs it again after a while, or has what it left stopped.
    pub fn take_up(&mut self, run: usize) {
        if self.calm || self.runs[run].left == 0 {
            return;
        }
        self.runs[run].left -= 1;
        let most = *self.chance.one_of(&[30, 600, 600, 5_000]);
        let wait = self.chance.time(Duration::from_secs(1), Duration::from_secs(most));
        self.clock.after(wait, Happening::Run(run));
        if self.chance.happens(self.scenario.faults.stops * 20) {
            self.clock.after(wait / 2, Happening::CancelDead(run));
        }
    }

    fn power_cut(&mut self) {
        self.power_cuts += 1;
        self.note("power cut", format_args!(""));
        let alive: Vec<_> =
            (0..self.processes.len()).filter(|process| self.processes[*process].alive).collect();
        alive.into_iter().for_each(|process| self.die(process, "is without power"));
        self.store.power_cut(&mut self.chance);
    }

    // People.

    /// A person settles what castline cannot, and tells the truth. Who is not called looks only at
    /// what is not new.
    pub fn rule(&mut self) -> Holds {
        let (now, calm) = (self.shown(), self.calm);
        // The clock may have been set since.
        let waits = SignedDuration::from_mins(if self.scenario.faults.clock_steps > 0 { 110 } else { 5 });
        let old = |entry: &&Arc<Entry>| calm || entry.intended + waits < now;
        let states = [State::InDoubt, State::Expired];
        let open = self.store.rows.entries.values().filter(|entry| states.contains(&entry.state)).filter(old);
        let open: Vec<Arc<Entry>> = open.cloned().collect();
        for entry in open {
            let ruling = self.truth(&entry);
            let claim = Claim::new(OwnerId::from("a person"), RunId::from("ruling"), vec![]);
            self.commit(&entry.key(), &claim, &Ask::Ruled(ruling))?;
        }
        self.wake();
        Ok(())
    }

    fn truth(&mut self, entry: &Entry) -> Ruling {
        if entry.state == State::Expired || self.chance.happens(150) {
            return Ruling::Retry;
        }
        let Some(provider) = self.providers.iter().find(|provider| provider.name() == *entry.provider())
        else {
            return Ruling::Forgive;
        };
        let wanted = wire(&entry.request, Files::Known);
        // Given up is given up.
        let free = |made: &&Made| !made.released && !self.watch.is_owned(provider, &made.id);
        let free = provider.made.iter().filter(free);
        let mut alike: Vec<_> = free.filter(|made| wire(&made.request, Files::Known) == wanted).collect();
        alike.sort_by_key(|made| (made.key, made.attempt) != (entry.key(), entry.hold.attempt));
        match alike.first() {
            Some(made) => Ruling::Adopt(made.id.clone()),
            None => Ruling::Forgive,
        }
    }
}
