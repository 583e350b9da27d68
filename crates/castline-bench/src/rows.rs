//! The rows: what is measured, and what is aimed at.
//!
//! Start reading at [`ALL`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Wrong;
use crate::measure::Taken;
use crate::project::Project;
use crate::report::{Goal, Outcome, Unit};
use crate::server::{Counts, Play, Server};

/// What all rows share.
pub(crate) struct Bench {
    castline: PathBuf,
    folder: PathBuf,
    runs: u32,
}

/// One row of the table.
pub(crate) struct Row {
    /// How it is asked for.
    pub name: &'static str,
    /// What is measured.
    pub what: &'static str,
    measure: fn(&Bench) -> Result<Measured, Wrong>,
}

/// Every row, in the order of the design.
pub(crate) const ALL: &[Row] = &[
    Row { name: "pool-50", what: "1,000 predictions of 200 ms, 50 at once", measure: pool_50 },
    Row { name: "pool-50-new", what: "the same, of a model that was never called", measure: pool_50_new },
    Row { name: "pool-1000", what: "1,000 predictions of 200 ms, all at once", measure: pool_1000 },
    Row { name: "chain", what: "20 steps of 100 ms, one after the other", measure: chain },
    Row { name: "idle-1000", what: "nothing to do, 1,000 legs", measure: |bench| idle(bench, 1_000, 25.0) },
    Row {
        name: "idle-10000",
        what: "nothing to do, 10,000 legs",
        measure: |bench| idle(bench, 10_000, 150.0),
    },
    Row { name: "reuse-1000", what: "the same after another comment", measure: |bench| reuse(bench, 1_000) },
    Row {
        name: "reuse-10000",
        what: "the same after another comment",
        measure: |bench| reuse(bench, 10_000),
    },
    Row { name: "plan-10000", what: "a plan of 10,000 legs", measure: |bench| plan(bench, 10_000, 100.0) },
    Row {
        name: "plan-100000",
        what: "a plan of 100,000 legs",
        measure: |bench| plan(bench, 100_000, 1_000.0),
    },
    Row { name: "version", what: "`--version`", measure: version },
    Row { name: "check-10", what: "`check` of 10 steps", measure: |bench| check(bench, 10) },
    Row { name: "check-1000", what: "`check` of 1,000 steps", measure: |bench| check(bench, 1_000) },
    Row { name: "growth", what: "predictions of 0 ms: 1,000, 2,000, 4,000 and 8,000 legs", measure: growth },
    Row { name: "watch", what: "from a save to the first request, 50 ms of quiet included", measure: watch },
    Row { name: "failures", what: "10,000 predictions of 0 ms, 1 % fail once", measure: failures },
];

/// What a row gave.
#[derive(Default)]
struct Measured {
    castline: Vec<Taken>,
    bare: Vec<Taken>,
    /// Seconds.
    ideal: Option<f64>,
    goals: Vec<Goal>,
    notes: Vec<String>,
}

/// The rows whose names begin as one of these does; all when there are none.
pub(crate) fn wanted(only: &[String]) -> Result<Vec<&'static Row>, Wrong> {
    let unknown = only.iter().find(|name| !ALL.iter().any(|row| row.name.starts_with(name.as_str())));
    if let Some(unknown) = unknown {
        let names: Vec<_> = ALL.iter().map(|row| row.name).collect();
        return Err(format!("there is no row `{unknown}`; the rows are {}", names.join(", ")).into());
    }
    // A whole name means that row alone.
    let fits = |name: &String, row: &Row| match ALL.iter().any(|row| row.name == *name) {
        true => row.name == *name,
        false => row.name.starts_with(name.as_str()),
    };
    Ok(ALL.iter().filter(|row| only.is_empty() || only.iter().any(|name| fits(name, row))).collect())
}

impl Bench {
    pub(crate) fn new(castline: PathBuf, folder: &Path, runs: u32) -> Result<Self, Wrong> {
        let folder = folder.canonicalize().map_err(|e| format!("`{}`: {e}", folder.display()))?;
        Ok(Self { castline, folder, runs })
    }

    fn project(&self, base_url: &str) -> Result<Project<'_>, Wrong> {
        Project::new(&self.castline, &self.folder, base_url)
    }

    /// How often something is measured that takes seconds.
    fn few(&self) -> u32 {
        self.runs.min(3)
    }
}

impl Row {
    /// Measures it as often as is wanted.
    pub(crate) fn measure(&self, bench: &Bench) -> Result<Outcome, Wrong> {
        let Measured { castline, bare, ideal, goals, notes } = (self.measure)(bench)?;
        Ok(Outcome {
            row: self.name,
            what: self.what,
            runs: castline.len(),
            wall: castline.iter().map(|taken| taken.wall).collect(),
            castline: median(&castline).ok_or("nothing was measured")?,
            bare: median(&bare),
            ideal,
            goals,
            notes,
        })
    }
}

impl Measured {
    fn castline(&self) -> Result<Taken, Wrong> {
        median(&self.castline).ok_or_else(|| "nothing was measured".into())
    }

    /// Milliseconds of the whole process.
    fn aim_millis(&mut self, most: f64) -> Result<(), Wrong> {
        let wall = self.castline()?.wall;
        self.goals.push(Goal::new("time", wall * 1e3, most, Unit::Millis));
        Ok(())
    }

    fn aim_memory(&mut self, megabytes: f64) -> Result<(), Wrong> {
        if let Some(memory) = self.castline()?.memory {
            self.goals.push(Goal::new("memory", memory as f64 / 1e6, megabytes, Unit::Megabytes));
        }
        Ok(())
    }

    fn aim_ideal(&mut self, most: f64) -> Result<(), Wrong> {
        let wall = self.castline()?.wall;
        if let Some(ideal) = self.ideal {
            self.goals.push(Goal::new("time to the ideal", wall / ideal, most, Unit::Times));
        }
        Ok(())
    }

    fn aim_bare(&mut self, most: f64) -> Result<(), Wrong> {
        let wall = self.castline()?.wall;
        if let Some(bare) = median(&self.bare) {
            self.goals.push(Goal::new("time to the bare loop", wall / bare.wall, most, Unit::Times));
        }
        Ok(())
    }

    fn aim_cpu(&mut self, most: f64) -> Result<(), Wrong> {
        let own = self.castline()?.cpu;
        if let Some(bare) = median(&self.bare) {
            self.goals.push(Goal::new("processor time to the bare loop", own / bare.cpu, most, Unit::Times));
        }
        Ok(())
    }
}

/// The median of each figure by itself.
fn median(all: &[Taken]) -> Option<Taken> {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
        Some((low + high) / 2.0)
    };
    let wall = middle(all.iter().map(|taken| taken.wall).collect())?;
    let cpu = middle(all.iter().map(|taken| taken.cpu).collect())?;
    let memory = middle(all.iter().filter_map(|taken| Some(taken.memory? as f64)).collect());
    Some(Taken { wall, cpu, memory: memory.map(|bytes| bytes as u64) })
}

/// Exactly so many creates, or castline is wrong and no figure matters.
fn counted(counts: Counts, creates: u64, repeated: u64) -> Result<(), Wrong> {
    if (counts.creates, counts.repeated) == (creates, repeated) {
        return Ok(());
    }
    let Counts { creates: found, repeated: again, .. } = counts;
    Err(format!("{found} creates came, {again} of them repeated; it should be {creates} and {repeated}")
        .into())
}

/// Saves of a watched file.
fn watch(bench: &Bench) -> Result<Measured, Wrong> {
    const SAVES: usize = 30;
    /// Milliseconds: 50 of them are waited for the editor to be done.
    const MOST: f64 = 150.0;
    let server = Server::start(Play::millis(0))?;
    let project = bench.project(&server.base_url())?;
    let mut all = Measured { castline: project.watch(&server, SAVES)?, ..Measured::default() };
    counted(server.take_counts(), SAVES as u64 + 1, 0)?;
    all.aim_millis(MOST)?;
    Ok(all)
}

/// Independent predictions: castline and the bare loop in turns.
fn pool(bench: &Bench, runs: u32, parallel: usize, learned: bool) -> Result<Measured, Wrong> {
    const COUNT: usize = 1_000;
    const MILLIS: u64 = 200;
    let (count, parallel_text) = (COUNT.to_string(), parallel.to_string());
    let mut all =
        Measured { ideal: Some((COUNT / parallel) as f64 * MILLIS as f64 / 1e3), ..Measured::default() };
    for _ in 0..runs {
        let server = Server::start(Play::millis(MILLIS))?;
        let project = bench.project(&server.base_url())?;
        if learned {
            project.learn()?;
        }
        server.take_counts();
        let legs = format!("legs={count}");
        all.castline.push(project.castline(&[
            "run",
            "independent.yaml",
            "-i",
            &legs,
            "--parallel",
            &parallel_text,
        ])?);
        let counts = server.take_counts();
        // With the first of them castline has learned; they are the same request.
        counted(counts, COUNT as u64, 0)?;
        all.notes.push(format!("castline asked {} times after 1,000 predictions", counts.gets));
        let server = Server::start(Play::millis(MILLIS))?;
        all.bare.push(project.bare(&[
            "--url",
            &server.base_url(),
            "--count",
            &count,
            "--parallel",
            &parallel_text,
        ])?);
        all.notes.push(format!("the bare loop asked {} times", server.take_counts().gets));
    }
    all.notes.truncate(2);
    Ok(all)
}

fn pool_50(bench: &Bench) -> Result<Measured, Wrong> {
    let mut all = pool(bench, bench.runs, 50, true)?;
    all.aim_ideal(1.08)?;
    all.aim_cpu(1.5)?;
    all.aim_memory(40.0)?;
    Ok(all)
}

fn pool_50_new(bench: &Bench) -> Result<Measured, Wrong> {
    pool(bench, bench.few(), 50, false)
}

fn pool_1000(bench: &Bench) -> Result<Measured, Wrong> {
    let mut all = pool(bench, bench.runs, 1_000, true)?;
    all.aim_bare(1.3)?;
    Ok(all)
}

fn chain(bench: &Bench) -> Result<Measured, Wrong> {
    const STEPS: usize = 20;
    let mut all = Measured { ideal: Some(STEPS as f64 * 0.1), ..Measured::default() };
    for _ in 0..bench.runs {
        let server = Server::start(Play::millis(100))?;
        let project = bench.project(&server.base_url())?;
        project.write_chain("chain.yaml", STEPS)?;
        project.learn()?;
        server.take_counts();
        all.castline.push(project.castline(&["run", "chain.yaml"])?);
        counted(server.take_counts(), STEPS as u64, 0)?;
        let count = STEPS.to_string();
        all.bare.push(project.bare(&["--url", &server.base_url(), "--count", &count, "--chain"])?);
    }
    all.aim_ideal(1.15)?;
    Ok(all)
}

/// Runs again of which nothing has changed.
fn idle(bench: &Bench, legs: u32, millis: f64) -> Result<Measured, Wrong> {
    let mut all = again(bench, legs, true)?;
    all.aim_millis(millis)?;
    Ok(all)
}

/// Runs again of which everything is looked at, and nothing is another one.
fn reuse(bench: &Bench, legs: u32) -> Result<Measured, Wrong> {
    again(bench, legs, false)
}

fn again(bench: &Bench, legs: u32, unchanged: bool) -> Result<Measured, Wrong> {
    let server = Server::start(Play::millis(0))?;
    let project = bench.project(&server.base_url())?;
    let given = format!("legs={legs}");
    let run = ["run", "independent.yaml", "-i", &given];
    project.castline(&run)?;
    counted(server.take_counts(), legs.into(), 0)?;
    if unchanged {
        // What is new is not vouched for, and after that one run writes down how everything stands.
        std::thread::sleep(Duration::from_millis(300));
        project.castline(&run)?;
    }
    let mut all = Measured::default();
    for _ in 0..bench.runs {
        if !unchanged {
            project.comment()?;
        }
        all.castline.push(project.castline(&run)?);
    }
    counted(server.take_counts(), 0, 0)?;
    Ok(all)
}

fn plan(bench: &Bench, legs: u32, millis: f64) -> Result<Measured, Wrong> {
    let project = bench.project("http://127.0.0.1:9/v1")?;
    let given = format!("legs={legs}");
    let mut all = Measured::default();
    for _ in 0..bench.runs {
        all.castline.push(project.castline(&["plan", "independent.yaml", "-i", &given])?);
    }
    all.aim_millis(millis)?;
    all.aim_memory(250.0)?;
    Ok(all)
}

fn version(bench: &Bench) -> Result<Measured, Wrong> {
    let project = bench.project("http://127.0.0.1:9/v1")?;
    let mut all = Measured::default();
    for _ in 0..bench.runs * 4 {
        all.castline.push(project.castline(&["--version"])?);
    }
    all.aim_millis(3.0)?;
    Ok(all)
}

fn check(bench: &Bench, steps: usize) -> Result<Measured, Wrong> {
    let project = bench.project("http://127.0.0.1:9/v1")?;
    let few = steps == 10;
    let file = if few { "ten-steps.yaml" } else { "wide.yaml" };
    project.write_wide("wide.yaml", steps)?;
    let mut all = Measured::default();
    for _ in 0..if few { bench.runs * 4 } else { bench.runs } {
        all.castline.push(project.castline(&["check", file])?);
    }
    if few {
        all.aim_millis(15.0)?;
    }
    Ok(all)
}

/// Each size as often; what a leg takes must not depend on how many others there are.
fn growth(bench: &Bench) -> Result<Measured, Wrong> {
    const SIZES: [u32; 4] = [1_000, 2_000, 4_000, 8_000];
    let mut runs = SIZES.map(|_| Vec::new());
    let mut again = SIZES.map(|_| Vec::new());
    for _ in 0..bench.few() {
        for (place, legs) in SIZES.into_iter().enumerate() {
            let server = Server::start(Play::millis(0))?;
            let project = bench.project(&server.base_url())?;
            let half = format!("half={}", legs / 2);
            let run = ["run", "piped.yaml", "-i", &half];
            runs[place].push(project.castline(&run)?);
            counted(server.take_counts(), legs.into(), 0)?;
            again[place].push(project.castline(&run)?);
            counted(server.take_counts(), 0, 0)?;
        }
    }
    let mut all = Measured { castline: runs[3].clone(), ..Measured::default() };
    for (what, taken) in [("run", &runs), ("run again, with nothing to do", &again)] {
        let medians: Vec<Taken> = taken.iter().filter_map(|taken| median(taken)).collect();
        let times: Vec<_> = medians.iter().map(|taken| format!("{:.3} s", taken.wall)).collect();
        all.notes.push(format!("{what}: {}", times.join(", ")));
        let each = |place: usize| medians[place].wall / f64::from(SIZES[place]);
        all.goals.push(Goal::new(
            &format!("{what}: a leg of 8,000 to one of 1,000"),
            each(3) / each(0),
            1.25,
            Unit::Times,
        ));
        if let (Some(few), Some(many)) = (medians[0].memory, medians[3].memory) {
            let more = many.saturating_sub(few) as f64 / f64::from(SIZES[3] - SIZES[0]) / 1e3;
            all.notes.push(format!("{what}: {more:.1} kB of memory for each further leg"));
        }
    }
    Ok(all)
}

/// What fails once is created once more, and nothing else is.
fn failures(bench: &Bench) -> Result<Measured, Wrong> {
    const LEGS: u64 = 10_000;
    let mut all = Measured::default();
    for _ in 0..bench.few() {
        let server = Server::start(Play { fail_percent: 1, ..Play::millis(0) })?;
        let project = bench.project(&server.base_url())?;
        all.castline.push(project.castline(&["run", "independent.yaml", "-i", "legs=10000"])?);
        let counts = server.take_counts();
        counted(counts, LEGS + counts.failed, counts.failed)?;
        if counts.failed == 0 {
            return Err("no prediction failed, so nothing was tried".into());
        }
        all.notes = vec![format!(
            "{} creates: 10,000 and {} retries that were asked for",
            counts.creates, counts.failed
        )];
    }
    all.goals.push(Goal::new("creates that nobody asked for", 0.0, 0.0, Unit::Count));
    Ok(all)
}
