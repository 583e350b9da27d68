//! What one simulation is about: workflows, the providers that serve them, who runs them, and
//! what goes wrong. All of it is drawn from the seed.
//!
//! Start reading at [`Scenario::of`].

use std::sync::Arc;
use std::time::Duration;

use castline_core::MicroUsd;
use castline_core::ledger::Terms;
use castline_core::model::Realm;
use castline_core::plan::{Choices, Plan};
use castline_core::routing::{Route, Routing, Serves};
use castline_spec::{Project, Source};
use jiff::SignedDuration;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::chance::Chance;
use crate::common::flows::{Kind, Part, parts, yaml};
use crate::common::{check_calling, lines, plan_of, plan_with};
use crate::provider::Files;

/// How often things go wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Of creates: lost before or after they are received, refused, not now.
    pub creates: u32,
    /// Of all other calls, each kind that passes.
    pub calls: u32,
    /// Of predictions: they fail, or take long.
    pub predictions: u32,
    /// The bill is higher than the price.
    pub overcharges: u32,
    /// A process is killed, at each thing that it does.
    pub crashes: u32,
    /// Everything goes dark, at each thing that happens.
    pub power_cuts: u32,
    /// A process stands still and is taken for dead, at each thing that it does.
    pub freezes: u32,
    /// Somebody stops a run, at each thing that it does.
    pub stops: u32,
    /// The clock of the machine is set, at each thing that happens.
    pub clock_steps: u32,
}

/// A kind of provider.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    pub name: &'static str,
    pub terms: Terms,
    /// How files travel there.
    pub files: Files,
    /// Its list hides what travels inside a request.
    pub hides_files: bool,
    /// How often its list is not whole, in a thousand.
    pub gaps: u32,
    /// Its clock minus ours.
    pub clock: SignedDuration,
    /// Most predictions in flight.
    pub slots: Option<usize>,
    /// Creates a minute.
    pub rate: Option<f64>,
    /// How many requests in a thousand it never gives a picture for.
    pub refuses: u32,
}

/// A run that somebody wants.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub id: String,
    /// Which of the workflows.
    pub text: usize,
    pub begins: Duration,
    pub parallel: usize,
    pub budget: Option<MicroUsd>,
    pub fail_fast: bool,
    /// With which account of its provider.
    pub token: &'static str,
}

/// What one simulation is about.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    /// A workflow, and perhaps an edited one.
    pub texts: Vec<String>,
    /// What calls them, if anything does.
    pub caller: Option<&'static str>,
    /// The chosen one, and perhaps one that claims a model.
    pub providers: Vec<Profile>,
    pub runs: Vec<Wanted>,
    pub faults: Faults,
    pub day: Option<MicroUsd>,
    /// The project says `when_lost: retry`.
    pub retry_lost: bool,
    /// The project's own price, by time.
    pub by_time: bool,
    /// Nothing may be created whose price is not known, until it is calm.
    pub only_priced: bool,
    /// How long the models are known to take.
    pub learned: Option<Duration>,
    /// The plan of each run.
    pub plans: Vec<Arc<Plan>>,
}

/// Workflows that call what was drawn.
const CALLERS: &[Option<&str>] = &[
    None,
    None,
    None,
    Some("steps:\n  c: { uses: ./called.yaml }\n"),
    Some("steps:\n  c: { uses: ./called.yaml, each: { k: [1, 2] } }\n"),
    Some(
        "steps:\n  c: { uses: ./called.yaml, on_error: skip }\n  d: { uses: ./called.yaml, if: steps.c is failed }\n",
    ),
];

const BILLS: Terms = Terms { bills: true, get: true, cancel: true, list: true, list_lag: 60, remote: true };

impl Scenario {
    /// The scenario of a seed; none where the workflow that was drawn has findings.
    pub fn of(seed: u64) -> Option<Self> {
        let mut chance = Chance::new(seed, "scenario");
        let texts = texts(&mut chance);
        let providers = providers(&mut chance);
        let faults = faults(&mut chance);
        let runs = runs(&mut chance, texts.len());
        let day = chance.happens(150).then(|| MicroUsd(20_000 + chance.number() % 400_000));
        let (retry_lost, by_time) = (chance.happens(150), chance.happens(100));
        let only_priced = chance.happens(300);
        let learned = *chance.one_of(&[None, Some(Duration::from_secs(6))]);
        let caller = *Chance::new(seed, "caller").one_of(CALLERS);
        let mut scenario = Self {
            seed,
            texts,
            caller,
            providers,
            runs,
            faults,
            day,
            retry_lost,
            by_time,
            only_priced,
            learned,
            plans: vec![],
        };
        let plans = scenario.runs.iter().map(|run| scenario.plan(run)).collect::<Result<_, _>>().ok()?;
        scenario.plans = plans;
        Some(scenario)
    }

    /// The same without anything that goes wrong, and with one of its runs.
    pub fn undisturbed(&self, run: usize) -> Self {
        let wanted = Wanted { budget: None, fail_fast: false, ..self.runs[run].clone() };
        Self {
            runs: vec![wanted],
            plans: vec![self.plans[run].clone()],
            faults: Faults::default(),
            day: None,
            ..self.clone()
        }
    }

    /// What it is about, for people.
    pub fn describe(&self) -> String {
        let Self { runs, providers, faults, texts, caller, .. } = self;
        let caller = caller.map(|text| format!("{text}---\n")).unwrap_or_default();
        format!("{runs:#?}\n{providers:#?}\n{faults:#?}\n{caller}{}", texts.join("---\n"))
    }

    fn plan(&self, run: &Wanted) -> Result<Arc<Plan>, String> {
        let project = if self.by_time { "prices: { draw: { usd: 0.001, per: gpu-second } }" } else { "" };
        let (project, _) = Project::parse(&Source::new("castline.yaml", project));
        let prices = project.map(|project| project.prices).unwrap_or_default();
        let choices = Choices { run: run.id.clone(), prices, ..Choices::default() };
        let text = &self.texts[run.text];
        let Some(caller) = self.caller else { return plan_with(text, &[], self.routing(), choices) };
        let (graph, found) = check_calling(caller, text);
        plan_of(graph.ok_or_else(|| lines(&found))?, &[], self.routing(), choices)
    }

    fn routing(&self) -> Routing {
        let route = |profile: &Profile, serves| Route {
            name: profile.name.into(),
            realm: Realm::Public,
            serves,
            bills: profile.terms.bills,
            parallel: profile.slots.unwrap_or(usize::MAX),
        };
        let claimed = |profile| route(profile, Serves::Models(["acme/edit".to_owned()].into()));
        Routing {
            chosen: route(&self.providers[0], Serves::Everything),
            std: Route { name: "std".into(), ..route(&self.providers[0], Serves::Everything) },
            claims: self.providers[1..].iter().map(claimed).collect(),
        }
    }
}

fn texts(chance: &mut Chance) -> Vec<String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &chance.bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let parts: Vec<Part> = parts().new_tree(&mut runner).expect("nothing is filtered").current();
    let mut texts = vec![yaml(&parts)];
    if chance.happens(300) {
        let mut edited = parts;
        let changed = chance.below(edited.len());
        edited[changed].word += 7;
        if chance.happens(300) {
            let extra =
                Part { kind: Kind::Draw, axis: Some((0, 1)), mentions: true, ..edited[changed].clone() };
            edited.push(extra);
        }
        texts.push(yaml(&edited));
    }
    texts
}

fn providers(chance: &mut Chance) -> Vec<Profile> {
    let replicate = Profile {
        name: "lists",
        terms: Terms { list_lag: *chance.one_of(&[5, 20, 60]), ..BILLS },
        files: *chance.one_of(&[Files::Uploaded, Files::Inside]),
        hides_files: chance.happens(500),
        gaps: *chance.one_of(&[0, 0, 0, 200, 1000]),
        clock: SignedDuration::from_secs(*chance.one_of(&[0, 0, -40, 300])),
        slots: None,
        rate: *chance.one_of(&[None, None, Some(600.0), Some(6.0)]),
        refuses: *chance.one_of(&[0, 0, 100, 250]),
    };
    let comet = Profile {
        name: "listless",
        terms: Terms { list: false, cancel: false, ..BILLS },
        slots: *chance.one_of(&[None, Some(1), Some(5)]),
        rate: None,
        ..replicate
    };
    let cog = Profile {
        name: "cog",
        terms: Terms { bills: false, list: false, list_lag: 0, remote: false, ..BILLS },
        slots: Some(1),
        rate: None,
        ..replicate
    };
    let mock = Profile { name: "mock", terms: Terms { bills: false, ..BILLS }, ..replicate };
    let sandbox = Profile { name: "sandbox", terms: Terms::LOCAL, slots: None, rate: None, ..replicate };
    let chosen =
        *chance.one_of(&[replicate, replicate, replicate, replicate, comet, comet, cog, mock, sandbox]);
    let claiming = *chance.one_of(&[cog, comet, replicate]);
    let mut providers = vec![chosen];
    if chance.happens(200) && claiming.name != chosen.name {
        providers.push(claiming);
    }
    providers
}

fn faults(chance: &mut Chance) -> Faults {
    if chance.happens(100) {
        return Faults::default();
    }
    let mut often = |rates: &'static [u32]| *chance.one_of(rates);
    Faults {
        creates: often(&[0, 50, 200, 500]),
        calls: often(&[0, 20, 100, 400]),
        predictions: often(&[0, 50, 150]),
        overcharges: often(&[0, 0, 0, 0, 0, 100]),
        crashes: often(&[0, 5, 20, 60]),
        power_cuts: often(&[0, 0, 3, 10]),
        freezes: often(&[0, 0, 0, 5, 20]),
        stops: often(&[0, 0, 2, 10, 30]),
        clock_steps: often(&[0, 0, 0, 2]),
    }
}

fn runs(chance: &mut Chance, texts: usize) -> Vec<Wanted> {
    let count = *chance.one_of(&[1, 1, 2, 2, 3, 4]);
    let most = *chance.one_of(&[1, 30, 600]);
    let tokens: &[&'static str] = if chance.happens(100) { &["ours", "theirs"] } else { &["ours"] };
    let run = |number: usize, chance: &mut Chance| Wanted {
        id: format!("run-{number}"),
        text: chance.below(texts),
        begins: chance.time(Duration::ZERO, Duration::from_secs(most)),
        parallel: *chance.one_of(&[1, 2, 3, 16]),
        budget: chance.happens(250).then(|| MicroUsd(10_000 + chance.number() % 300_000)),
        fail_fast: chance.happens(100),
        token: tokens[chance.below(tokens.len())],
    };
    (0..count).map(|number| run(number, chance)).collect()
}
