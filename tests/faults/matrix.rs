//! Faults times transitions: in every case the server has a fault, castline dies at a place,
//! and is run again until it settles.
//!
//! Start reading at [`GROUPS`], then [`Cell::play`].

use castline_runner::failpoint::Place::{
    self, Absent, Cancel, Claim, Create, Created, End, Ended, Fetch, Fetched, Found, Get, Left, Missing,
    Prepare, Resend, Rest, Ruled, Save, Search, Stop, Unclear, Unsent, Unwanted, Wait,
};
use castline_runner::failpoint::Side;

use crate::stage::{Played, Project, Server, check, legs, must};

/// Legs of every case. A fault that happens once meets one of them.
const LEGS: u64 = 2;
/// What one of them costs, in USD.
const PRICE: f64 = 0.003;

/// A fault of the server, and where it leads castline.
pub struct Row {
    pub faults: &'static [&'static str],
    kind: &'static str,
    /// Where a run without it passes, and this one does as well.
    pub course: &'static [&'static [Place]],
    /// It is tried at every place and on both sides, not only after what somebody is told.
    thorough: bool,
    /// Predictions beyond the legs that may be created, because one failed.
    again: u64,
    /// How it may settle.
    ends: &'static [i32],
    /// Where the process before dies.
    first: Option<(Place, Side)>,
    /// Another process runs the same file at once.
    rival: bool,
    workflow: fn() -> String,
}

/// What every run passes whose legs succeed, one of them at least.
const USUAL: &[Place] = &[Prepare, Claim, Create, Created, Get, Fetch, Fetched, Save, End];
/// A create was not received, and is sent again.
const SENT_AGAIN: &[Place] = &[Unsent, Rest, Resend];
/// Nobody knows whether a create was received, and the list is asked.
const LOOKED_FOR: &[Place] = &[Unclear, Search];

const PLAIN: Row = Row {
    faults: &[],
    kind: "replicate",
    course: &[USUAL],
    thorough: false,
    again: 0,
    ends: &[0],
    first: None,
    rival: false,
    workflow: || legs(LEGS as usize),
};

/// It is waited out, and nothing is done twice.
const fn passing(faults: &'static [&'static str]) -> Row {
    Row { faults, ..PLAIN }
}

/// It is refused for now, and sent again.
const fn put_off(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[USUAL, SENT_AGAIN], ..PLAIN }
}

/// The create is lost and was not received.
const fn lost(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[USUAL, LOOKED_FOR, SENT_AGAIN], ..PLAIN }
}

/// The create was received and its answer is lost.
const fn unheard(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[USUAL, LOOKED_FOR, &[Found]], ..PLAIN }
}

/// The create was received, its answer is lost, and the list proves nothing.
const fn doubtful(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[USUAL, LOOKED_FOR], ends: &[0, 4], ..PLAIN }
}

/// One prediction fails and is paid for; the next run creates it again.
const fn failing(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[USUAL, &[Ended]], again: 1, ..PLAIN }
}

/// One create is refused for good and costs nothing; the next run sends it again.
const fn refused(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[USUAL, &[Ended]], ..PLAIN }
}

/// The outputs are paid for and gone.
const fn gone(faults: &'static [&'static str]) -> Row {
    Row { faults, course: &[&[Claim, Create, Created, Ended]], ends: &[1], ..PLAIN }
}

/// A process before died and left a create behind.
const fn orphaned(place: Place, side: Side, course: &'static [&'static [Place]]) -> Row {
    Row { first: Some((place, side)), course, thorough: true, ..PLAIN }
}

/// A provider without a list.
const fn listless(faults: &'static [&'static str], course: &'static [&'static [Place]]) -> Row {
    Row { faults, kind: "cometapi", course, ends: &[0, 4], ..PLAIN }
}

/// Everything that can go wrong at a server, each group a test.
pub const GROUPS: &[(&str, &[Row])] = &[
    ("nothing is wrong", &[Row { thorough: true, ..PLAIN }]),
    (
        "a create is not received",
        &[
            Row { thorough: true, ..put_off(&["create:429*1"]) },
            put_off(&["create:429=1*1"]),
            put_off(&["create:429=1@body*1"]),
            lost(&["create:500*1"]),
            lost(&["create:502*1"]),
            lost(&["create:503*1"]),
            lost(&["create:504*1"]),
            lost(&["create:drop*1"]),
            refused(&["create:html*1"]),
            refused(&["create:301*1"]),
            refused(&["create:401*1"]),
            refused(&["create:402*1"]),
            refused(&["create:422*1"]),
        ],
    ),
    (
        "a create is received",
        &[
            passing(&["create:slow*1"]),
            passing(&["create:hold=0.3*1"]),
            Row { thorough: true, ..unheard(&["create:drop-after*1"]) },
            unheard(&["create:malformed*1"]),
            unheard(&["create:huge*1"]),
        ],
    ),
    (
        "another client makes the same request",
        &[
            unheard(&["create:twin=web*1", "create:drop-after*1"]),
            unheard(&["create:twin=api*1", "create:drop-after*1"]),
        ],
    ),
    (
        "a create is lost and the list is no better",
        &[
            unheard(&["list:late=0.8", "create:drop-after*1"]),
            unheard(&["list:500*1", "create:drop-after*1"]),
            unheard(&["list:429=1*1", "create:drop-after*1"]),
            unheard(&["list:html*1", "create:drop-after*1"]),
            unheard(&["list:drop*1", "create:drop-after*1"]),
            unheard(&["list:malformed*1", "create:drop-after*1"]),
            unheard(&["list:huge*1", "create:drop-after*1"]),
            unheard(&["list:slow*1", "create:drop-after*1"]),
            unheard(&["clock:600", "create:drop-after*1"]),
            unheard(&["clock:-600", "create:drop-after*1"]),
            doubtful(&["list:no-input", "create:drop-after*1"]),
            doubtful(&["list:404", "create:drop-after*1"]),
        ],
    ),
    (
        "polls",
        &[
            passing(&["get:429*1"]),
            passing(&["get:429=1*1"]),
            passing(&["get:429=1@body*1"]),
            passing(&["get:500*2"]),
            passing(&["get:502*1"]),
            passing(&["get:503*1"]),
            passing(&["get:504*1"]),
            passing(&["get:404*1"]),
            passing(&["get:drop*1"]),
            passing(&["get:html*1"]),
            passing(&["get:malformed*1"]),
            passing(&["get:huge*1"]),
            passing(&["get:slow*2"]),
            passing(&["status:unknown*2"]),
            Row { faults: &["get:403*1"], course: &[USUAL, &[Left]], thorough: true, ..PLAIN },
        ],
    ),
    (
        "predictions",
        &[
            passing(&["predict:stuck=0.5*1"]),
            failing(&["predict:fail=width must be a multiple of 16*1"]),
            Row { thorough: true, ..failing(&["predict:fail-null*1"]) },
            failing(&["predict:fail=The input was flagged as sensitive. (E005)*1"]),
            failing(&["predict:fail=Director: unexpected error handling prediction (E9828)*1"]),
            failing(&["predict:fail=Prediction interrupted; please retry (code: PA)*1"]),
            failing(&["predict:cancel*1"]),
            Row { workflow: retried_legs, ..failing(&["predict:fail=Director: unexpected error (E6716)*1"]) },
        ],
    ),
    (
        "outputs",
        &[
            failing(&["output:null*1"]),
            failing(&["output:wrong-type*1"]),
            gone(&["output:404"]),
            passing(&["output:403*1"]),
            passing(&["output:404*1"]),
            passing(&["output:410*1"]),
            passing(&["output:429*1"]),
            passing(&["output:500*1"]),
            passing(&["output:empty*1"]),
            passing(&["output:truncated*1"]),
            passing(&["output:html*1"]),
            passing(&["output:slow"]),
            passing(&["output:untyped"]),
            passing(&["output:redirect*1"]),
            passing(&["output:redirect=http://127.0.0.1:9/nobody*1"]),
        ],
    ),
    (
        "what a death leaves behind",
        &[
            orphaned(Create, Side::After, &[&[Claim, Search, Found, Get, Fetch, Fetched, Save, End]]),
            orphaned(Create, Side::Before, &[&[Claim, Search, Absent, Prepare, Create, Created, Fetched]]),
            orphaned(Created, Side::After, &[&[Claim, Get, Fetch, Fetched, Save, End]]),
            orphaned(Fetched, Side::Before, &[&[Claim, Get, Fetch, Fetched, Save, End]]),
            Row {
                faults: &["list:late=0.8"],
                ..orphaned(Create, Side::After, &[&[Claim, Search, Found, Fetched]])
            },
            Row { faults: &["clock:600"], ..orphaned(Create, Side::After, &[&[Search, Found, Fetched]]) },
            Row { faults: &["clock:-600"], ..orphaned(Create, Side::After, &[&[Search, Found, Fetched]]) },
        ],
    ),
    (
        "two processes, and one of them dies",
        &[
            Row { rival: true, thorough: true, ..PLAIN },
            Row { rival: true, faults: &["create:429=1*2"], course: &[USUAL, SENT_AGAIN], ..PLAIN },
            Row { rival: true, faults: &["create:503*1"], course: &[USUAL, LOOKED_FOR, SENT_AGAIN], ..PLAIN },
            Row {
                rival: true,
                faults: &["create:drop-after*2"],
                course: &[USUAL, LOOKED_FOR, &[Found]],
                ..PLAIN
            },
            Row { rival: true, ..failing(&["predict:fail-null*1"]) },
        ],
    ),
    (
        "a provider without a list",
        &[
            Row { thorough: true, ..listless(&[], &[USUAL]) },
            listless(&["wrap"], &[USUAL]),
            listless(&["create:drop-after*1"], &[USUAL, &[Unclear]]),
            listless(&["create:503*1"], &[USUAL, &[Unclear]]),
            listless(&["create:malformed*1"], &[USUAL, &[Unclear]]),
            listless(&["get:500*2"], &[USUAL]),
            listless(&["output:truncated*1"], &[USUAL]),
            Row { again: 1, ..listless(&["predict:fail-null*1"], &[USUAL, &[Ended]]) },
        ],
    ),
];

/// Every row of every group.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

/// A platform's fault is created again once; it is paid for.
fn retried_legs() -> String {
    format!("{}    retry: {{ times: 1, on: [platform] }}\n", legs(LEGS as usize))
}

impl Row {
    /// `create:503*1`; what came before, and which kind of provider it is, where that matters.
    pub fn name(&self) -> String {
        let mut words: Vec<String> = self.faults.iter().map(|fault| (*fault).to_owned()).collect();
        if let Some((place, side)) = self.first {
            words.insert(0, format!("after a death at {}.{}", place.word(), side.word()));
        }
        if self.kind != "replicate" {
            words.insert(0, self.kind.to_owned());
        }
        if self.rival {
            words.insert(0, "beside another process".to_owned());
        }
        if words.is_empty() { "no fault".to_owned() } else { words.join(" and ") }
    }

    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.course.iter().flat_map(|places| places.iter().copied())
    }

    /// Every transition on its way.
    pub fn cells(&self) -> Vec<Cell<'_>> {
        let sides = |place| Side::ALL.iter().map(move |side| (place, *side));
        self.places()
            .flat_map(sides)
            .filter(|(place, side)| self.thorough || (is_transition(*place) && *side == Side::After))
            .map(|(place, side)| Cell { row: self, place, side })
            .collect()
    }
}

/// True where the ledger or the provider is told something.
fn is_transition(place: Place) -> bool {
    match place {
        Claim | Unsent | Resend | Created | Absent | Unclear | Found | Stop | Unwanted | Ended | Fetched
        | Left | Missing | Ruled | Create | Cancel => true,
        Prepare | Search | Get | Fetch | Rest | Wait | Save | End => false,
    }
}

/// A fault, and where castline dies.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    pub row: &'a Row,
    pub place: Place,
    pub side: Side,
}

impl Cell<'_> {
    pub fn name(&self) -> String {
        format!("{} x {}.{}", self.row.name(), self.place.word(), self.side.word())
    }

    pub fn play(&self) -> Played {
        let Row { faults, kind, again, ends, first, rival, workflow, .. } = self.row;
        let server = Server::start(faults, "0s");
        let project = Project::with(&server, kind, &limits(*again), &workflow());
        if let Some((place, side)) = first {
            project.die(*place, *side)?;
        }
        if *rival {
            self.race(&project)?;
        } else {
            project.die(self.place, self.side)?;
        }
        let ended = project.settle()?;
        let code = ended.code.unwrap_or_default();
        must(ends.contains(&code), || format!("it settled with {code}: {}", ended.told))?;
        must((code == 4) == (project.in_state("in-doubt") > 0), || {
            format!("{code} and {:?}", project.states())
        })?;
        if code == 0 {
            let succeeded = u64::from(project.in_state("succeeded"));
            must(succeeded == LEGS, || format!("{succeeded} of {LEGS} legs succeeded"))?;
        }
        check(&server, &project, LEGS + again)
    }
}

impl Cell<'_> {
    /// Which of the two comes to the place first, and whether the one that would die there comes
    /// to it at all, is open; the other goes on with what that one leaves.
    fn race(&self, project: &Project) -> Played {
        let mortal = project.start_at(&project.run, self.place, self.side);
        let other = project.start(&project.run);
        mortal.wait();
        let ended = other.wait();
        must(matches!(ended.code, Some(0 | 1)), || {
            format!("the other ended with {:?}: {}", ended.code, ended.told)
        })
    }
}

/// Not a create more than there are legs, and paid retries, is in the budget.
fn limits(again: u64) -> String {
    let usd = PRICE * (LEGS + again) as f64;
    format!("limits: {{ budget_usd: {usd:.3}, budget_usd_per_day: {usd:.3} }}")
}
