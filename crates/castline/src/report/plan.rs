//! What a run would do: a table of legs for people, an object for programs.
//!
//! Start reading at [`Table::of`]; [`Table::draw`] and [`Table::json`] are its two faces.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use castline_core::MicroUsd;
use castline_core::bill::{Bill, Many, ONE, Price};
use castline_core::forecast::{Fate, Forecast, Why, Word};
use castline_core::graph::{Proofs, Step};
use castline_core::legs::LegId;
use castline_core::plan::{Plan, PriceFrom};
use castline_core::price::Estimate;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::json::SCHEMA_VERSION;
use super::money::range;
use crate::screen::{self, BOLD, DIM, GOOD, HINT, WARN};

/// A step with more legs is shown in groups.
const MOST_LEGS: usize = 12;

/// The widest name that is shown whole.
const NAME_WIDTH: usize = 48;

/// The plan of a workflow as a table.
pub(crate) struct Table<'f> {
    forecast: &'f Forecast,
    live: bool,
    /// Who runs each step, by its number.
    served: Vec<Served<'f>>,
    rows: Vec<Row>,
    total: Bill,
    seconds: f64,
}

/// Who runs a step, and who says what that costs.
struct Served<'f> {
    provider: Option<&'f str>,
    from: Option<PriceFrom>,
    bills: bool,
}

/// One leg, or all of a step that are not known yet. There may be very many: what is said of one
/// is made when it is shown.
struct Row {
    /// The step's number.
    step: usize,
    leg: Option<LegId>,
    /// How many legs, at least and at most.
    legs: Many,
    word: Word,
    price: Price,
}

/// How people see a word.
pub(crate) trait Seen {
    /// For people.
    fn text(self) -> &'static str;
    /// Its color.
    fn style(self) -> anstyle::Style;
}

impl Seen for Word {
    fn text(self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::Later => "later",
            Self::Broken => "wrong",
            Self::InDoubt => "in doubt",
            other => other.as_str(),
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Self::Reused => GOOD,
            Self::Run | Self::Always | Self::Adopt => HINT,
            Self::Broken | Self::InDoubt | Self::Expired => WARN,
            Self::Same | Self::Later | Self::Deferred | Self::Skip | Self::Out => DIM,
        }
    }
}

/// A price for people; empty for what does not run.
pub(crate) fn price_text(price: Price) -> String {
    match price {
        Price::Free => "free".to_owned(),
        Price::Known(e) => range(e),
        Price::Unpriced => "unpriced".to_owned(),
        Price::Later => "price later".to_owned(),
        Price::None => String::new(),
    }
}

/// `0.04 to 0.08 USD and 2 unpriced`.
pub(crate) fn bill_text(bill: Bill) -> String {
    let known = match bill.unbounded {
        true => format!("from {}, no upper bound", bill.min),
        false => range(Estimate { min: bill.min, max: bill.max }),
    };
    match bill.unpriced {
        0 => known,
        n => format!("{known} and {n} unpriced"),
    }
}

impl<'f> Table<'f> {
    /// The table of a finished forecast.
    pub(crate) fn of(forecast: &'f Forecast) -> Self {
        let plan = &forecast.plan;
        let known = plan.predictions().map(|leg| Row::of(forecast, leg));
        let rows: Vec<_> = known.chain(plan.deferred().map(|step| Row::of_step(forecast, step))).collect();
        Self {
            forecast,
            live: plan.routing.is_live(),
            served: plan.graph.steps.iter().map(|step| Served::of(plan, step)).collect(),
            total: rows.iter().map(|row| (row.word, row.price, row.legs)).collect(),
            seconds: longest_path(plan, &rows),
            rows,
        }
    }

    /// The table as people read it, for a terminal of so many columns.
    pub(crate) fn draw(&self, width: Option<usize>) -> String {
        let mut lines = self.lines();
        // What is left beside the other columns of a terminal.
        let most = width.map_or(NAME_WIDTH, |width| width.saturating_sub(44).clamp(36, NAME_WIDTH));
        lines.iter_mut().for_each(|line| line.name = screen::short(&line.name, most));
        let widest =
            |of: fn(&Line) -> &str| lines.iter().map(|line| screen::columns(of(line))).max().unwrap_or(0);
        let (names, words, prices) = (widest(|l| &l.name), widest(|l| l.word.text()), widest(|l| &l.price));
        let mut text =
            format!("{}\n\n", headline(self.plan().graph.name.as_str(), self.provider(), self.live));
        let room =
            width.map_or(usize::MAX, |width| width.saturating_sub(names + words + prices + 11).max(16));
        for line in &lines {
            text.push_str(&line.draw(names, words, prices, room));
            text.push('\n');
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn plan(&self) -> &'f Plan {
        &self.forecast.plan
    }

    /// The chosen provider.
    fn provider(&self) -> &'f str {
        &self.plan().routing.chosen.name.0
    }

    fn step(&self, row: &Row) -> &'f Step {
        &self.plan().graph.steps[row.step]
    }

    /// The most that it can cost, as far as prices are known.
    pub(crate) fn most(&self) -> MicroUsd {
        let billed = self.rows.iter().filter(|row| self.served[row.step].bills && row.word.may_run());
        billed.filter_map(|row| row.price.of_legs(row.legs).map(|e| e.max)).sum()
    }

    /// The legs of each step that has some.
    fn steps(&self) -> IndexMap<usize, Vec<&Row>> {
        let mut steps: IndexMap<usize, Vec<&Row>> = IndexMap::new();
        self.rows.iter().for_each(|row| steps.entry(row.step).or_default().push(row));
        steps
    }

    /// For each step in one line what its legs can cost, and which of them do not run; for one that
    /// calls a workflow what all legs of that can.
    pub(crate) fn notes(&self) -> IndexMap<&'f str, String> {
        let graph = &self.forecast.plan.graph;
        let mut steps: IndexMap<&'f str, Vec<&Row>> = IndexMap::new();
        for row in &self.rows {
            let step = graph.steps[row.step].name.as_str().split('/').next().unwrap_or_default();
            steps.entry(step).or_default().push(row);
        }
        steps.into_iter().map(|(step, rows)| (step, self.note(&rows))).collect()
    }

    /// A line for each leg, or for each kind of leg where a step has many.
    fn lines(&self) -> Vec<Line> {
        let lines = self.steps().into_values().map(|rows| match rows.len() {
            0..=MOST_LEGS => rows.into_iter().map(|row| self.line(row)).collect(),
            _ => self.groups(&rows),
        });
        lines.collect::<Vec<_>>().concat()
    }

    fn summary(&self) -> String {
        let count = |words: &[Word]| self.rows.iter().filter(|row| words.contains(&row.word)).count();
        let parts = [
            (count(&[Word::Reused]), "reused"),
            (count(&[Word::Run, Word::Always]), "to run"),
            (count(&[Word::Adopt]), "to go on with"),
            (count(&[Word::InDoubt]), "in doubt"),
            (count(&[Word::Expired]), "expired"),
            (count(&[Word::Same]), "the same as another"),
            (count(&[Word::Later]), "known later"),
            (count(&[Word::Deferred]), "not counted yet"),
            (count(&[Word::Skip]), "skipped"),
            (count(&[Word::Broken]), "wrong"),
            (count(&[Word::Out]), "not taking part"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(n, word)| *n > 0 || *word == "to run")
            .map(|(n, w)| format!("{n} {w}"))
            .collect();
        let proofs = proved(self.plan().graph.proofs()).map(|line| format!("\n{line}")).unwrap_or_default();
        format!("{}: {}\n{}{proofs}", counted(self.rows.len(), "leg"), parts.join(", "), self.bill())
    }

    /// What it costs and how long it takes.
    fn bill(&self) -> String {
        let cost = bill_text(self.total);
        let time = if self.seconds > 0.0 { format!(", {}", about(self.seconds)) } else { String::new() };
        match (self.live, self.rows.iter().any(|row| row.word.may_run())) {
            (_, false) => format!("{} to pay", MicroUsd::ZERO),
            (true, true) => format!("{cost}{time}"),
            (false, true) if self.total == Bill::default() => format!("nothing to pay{time}"),
            (false, true) => format!("nothing to pay; live it would be {cost}{time}"),
        }
    }

    /// `plan --json`.
    pub(crate) fn json(&self) -> Json {
        let (graph, proofs) = (&self.plan().graph, self.plan().graph.proofs());
        json!({
            "schema_version": SCHEMA_VERSION,
            "workflow": graph.name,
            "file": graph.source.name,
            "provider": self.provider(),
            "live": self.live,
            "legs": self.rows.iter().map(|row| self.leg_json(row)).collect::<Vec<_>>(),
            "min_usd": self.total.min.usd(),
            "max_usd": self.total.max.usd(),
            "unpriced": self.total.unpriced,
            "unbounded": self.total.unbounded,
            "typical_seconds": self.seconds,
            "inputs": { "proved": proofs.proved, "checked_at_run_time": proofs.open },
        })
    }
}

/// `7 inputs proved, 2 checked at run time`; none when no step has inputs.
pub(crate) fn proved(proofs: Proofs) -> Option<String> {
    let inputs = |n| counted(n, "input");
    match (proofs.proved, proofs.open) {
        (0, 0) => None,
        (proved, 0) => Some(format!("{} proved", inputs(proved))),
        (proved, open) => Some(format!("{} proved, {open} checked at run time", inputs(proved))),
    }
}

/// `paper-boat on sandbox (stand-ins, nothing is charged)`.
pub(crate) fn headline(workflow: &str, provider: &str, live: bool) -> String {
    let note = match (provider, live) {
        ("sandbox", false) => " (stand-ins, nothing is charged)",
        ("sandbox", true) => " (stand-ins; some models run live)",
        _ => "",
    };
    format!("{BOLD}{workflow}{BOLD:#} on {BOLD}{}{BOLD:#}{note}", screen::printable(provider))
}

/// `1 leg`, `3 legs`.
pub(crate) fn counted(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// `20 ms`, `0.4 s`, `14 s`, `2 min`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.0995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// `about 7 s`: what is only known so well.
pub(crate) fn about(seconds: f64) -> String {
    let rounded = if seconds < 100.0 { format!("{:.0} s", seconds.ceil()) } else { duration(seconds) };
    format!("about {rounded}")
}

impl<'f> Served<'f> {
    fn of(plan: &'f Plan, step: &'f Step) -> Self {
        let route = plan.routing.of(&step.callee.model);
        Self {
            provider: route.map(|route| &*route.name.0),
            from: route.map(|route| plan.price_rules(&step.callee, &route.name).from),
            bills: route.is_some_and(|route| route.bills),
        }
    }
}

impl Row {
    fn of(forecast: &Forecast, leg: LegId) -> Self {
        Self {
            step: forecast.plan.legs.step(leg),
            leg: Some(leg),
            legs: ONE,
            word: forecast.fate(leg).word(),
            price: Price::of(forecast, leg),
        }
    }

    /// All legs of a step whose list is not known yet.
    fn of_step(forecast: &Forecast, step: usize) -> Self {
        Self {
            step,
            leg: None,
            legs: forecast.plan.legs_expected(step),
            word: Word::of_step(forecast, step),
            price: Price::of_step(forecast, step),
        }
    }
}

/// What is said of one row, or of several.
impl Table<'_> {
    fn name(&self, row: &Row) -> String {
        match row.leg {
            Some(leg) => screen::printable(&self.plan().leg_name(leg)),
            None => self.plan().late_name(row.step),
        }
    }

    fn why(&self, row: &Row) -> Option<Cow<'static, str>> {
        if let Some(leg) = row.leg {
            return why(self.forecast, leg);
        }
        let plan = self.plan();
        let sources = plan.graph.sources(row.step).into_iter();
        let sources: Vec<_> = sources.map(|source| plan.graph.steps[source].name.as_str()).collect();
        let many = match row.legs {
            (_, None) => "as many legs as its list has".to_owned(),
            (least, Some(most)) if least == most => counted(most, "leg"),
            (_, Some(most)) => format!("at most {}", counted(most, "leg")),
        };
        Some(format!("{many}, after {}", sources.join(", ")).into())
    }

    /// What it can cost, and whether the project says so.
    fn price_text(&self, row: &Row) -> String {
        let text = match (row.price, row.legs.1) {
            (Price::Known(_), Some(_)) => row.price.of_legs(row.legs).map(range).unwrap_or_default(),
            (Price::Known(_), None) => format!("{} a leg", price_text(row.price)),
            (other, _) => price_text(other),
        };
        match (row.price, self.served[row.step].from) {
            (Price::Known(_), Some(PriceFrom::Project)) => format!("{text} (yours)"),
            _ => text,
        }
    }

    fn leg_json(&self, row: &Row) -> Json {
        let (step, served) = (self.step(row), &self.served[row.step]);
        let values = row.leg.map(|leg| self.plan().legs.values(leg)).unwrap_or_default();
        let values = values.iter().map(|(axis, value)| (axis.to_string(), castline_core::plain::json(value)));
        let key = row.leg.and_then(|leg| self.forecast.fate(leg).ready()).map(|ready| ready.request.key);
        let price = row.price.of_legs(row.legs);
        json!({
            "step": step.name,
            "leg": values.collect::<serde_json::Map<_, _>>(),
            "name": self.name(row),
            "legs": { "min": row.legs.0, "max": row.legs.1 },
            "fate": row.word,
            "why": self.why(row),
            "key": key,
            "model": step.callee.model.reference.to_string(),
            "provider": served.provider,
            "bills": served.bills,
            "min_usd": price.map(|price| price.min.usd()),
            "max_usd": price.filter(|_| row.legs.1.is_some()).map(|price| price.max.usd()),
            "price_from": served.from.filter(|_| matches!(row.price, Price::Known(_))),
        })
    }

    fn line(&self, row: &Row) -> Line {
        Line {
            name: self.name(row),
            word: row.word,
            price: self.price_text(row),
            why: self.why(row).unwrap_or_default(),
        }
    }

    /// Many legs of one step: a line for each thing that they would do.
    fn groups(&self, rows: &[&Row]) -> Vec<Line> {
        let mut groups: IndexMap<Word, Vec<&Row>> = IndexMap::new();
        rows.iter().for_each(|row| groups.entry(row.word).or_default().push(row));
        let line = |(word, members): (Word, Vec<&Row>)| {
            let why = self.why(members[0]);
            let same_why = members.iter().all(|row| self.why(row) == why);
            let legs = if members.len() == rows.len() {
                counted(rows.len(), "leg")
            } else {
                format!("{} of {} legs", members.len(), rows.len())
            };
            Line {
                name: format!("{} ({legs})", self.step(members[0]).name),
                word,
                price: self.price_of_group(&members),
                why: why.filter(|_| same_why).unwrap_or_default(),
            }
        };
        groups.into_iter().map(line).collect()
    }

    /// `0.08 USD, 1 of 3 reused`: all legs of a step in a line.
    fn note(&self, rows: &[&Row]) -> String {
        let priced: Vec<_> = rows.iter().copied().filter(|row| row.price != Price::None).collect();
        let price = if priced.is_empty() { None } else { Some(self.price_of_group(&priced)) };
        let idle = [
            (Word::Reused, "reused"),
            (Word::Same, "the same as another"),
            (Word::Skip, "skipped"),
            (Word::Out, "not taking part"),
        ];
        let idle = idle.iter().filter_map(|(word, text)| {
            match rows.iter().filter(|row| row.word == *word).count() {
                0 => None,
                n if n == rows.len() => Some((*text).to_owned()),
                n => Some(format!("{n} of {} {text}", rows.len())),
            }
        });
        price.into_iter().chain(idle).collect::<Vec<_>>().join(", ")
    }

    fn price_of_group(&self, members: &[&Row]) -> String {
        if members.iter().all(|row| row.price == members[0].price)
            && !matches!(members[0].price, Price::Known(_))
        {
            return price_text(members[0].price);
        }
        let mut total = Bill::default();
        for row in members {
            match row.price {
                Price::Known(_) => {
                    let all = row.price.of_legs(row.legs).unwrap_or(Estimate::NOTHING);
                    total.min += all.min;
                    total.max += all.max;
                    total.unbounded |= row.legs.1.is_none();
                }
                Price::Unpriced | Price::Later => total.unpriced += 1,
                Price::Free | Price::None => {}
            }
        }
        match members.iter().all(|row| self.served[row.step].from == Some(PriceFrom::Project)) {
            true => format!("{} (yours)", bill_text(total)),
            false => bill_text(total),
        }
    }
}

fn why(forecast: &Forecast, leg: LegId) -> Option<Cow<'static, str>> {
    match forecast.fate(leg) {
        Fate::Run(_, Why::New) => Some("new request".into()),
        Fate::Run(_, Why::Always) => Some("cache: false".into()),
        Fate::Run(_, why) => Some(why.reason()),
        Fate::Same(_, first) => Some(format!("as {}", forecast.plan.leg_name(*first)).into()),
        Fate::Upstream => Some(after(forecast, leg).into()),
        Fate::Skip(skip) => Some(skip.reason().into()),
        Fate::Broken => Some("its values do not fit".into()),
        Fate::Hit(..) | Fate::Done(_) | Fate::Out => None,
    }
}

/// The legs that a leg waits for and that are not known yet.
fn after(forecast: &Forecast, leg: LegId) -> String {
    let plan = &forecast.plan;
    let open = forecast.open_needs(leg);
    let sources = plan.graph.sources(plan.legs.step(leg)).into_iter();
    let late = sources.filter(|step| plan.legs.known(*step).is_none());
    let late: Vec<_> = late.map(|step| format!("all legs of {}", plan.graph.steps[step].name)).collect();
    if let ([one], []) = (&open[..], &late[..]) {
        return format!("after {}", plan.leg_name(*one));
    }
    let step = |leg: &LegId| plan.graph.steps[plan.legs.step(*leg)].name.as_str();
    let mut steps: IndexMap<&str, usize> = IndexMap::new();
    open.iter().for_each(|leg| *steps.entry(step(leg)).or_default() += 1);
    let steps = steps
        .iter()
        .map(|(step, n)| if *n == 1 { (*step).to_owned() } else { format!("{n} legs of {step}") });
    format!("after {}", steps.chain(late).collect::<Vec<_>>().join(", "))
}

/// The seconds of the longest chain of legs that may run.
fn longest_path(plan: &Plan, rows: &[Row]) -> f64 {
    let mut until = vec![0.0_f64; plan.legs.len()];
    let mut of_step = vec![0.0_f64; plan.graph.steps.len()];
    let mut row_of = vec![None; plan.legs.len()];
    plan.predictions().enumerate().for_each(|(row, leg)| row_of[leg.0] = Some(row));
    let mut deferred = plan.deferred().zip(plan.count()..).collect::<BTreeMap<_, _>>();
    for number in plan.graph.order.iter().copied() {
        let step = &plan.graph.steps[number];
        let own = step.callee.model.typical_seconds.unwrap_or(0.0);
        let takes =
            |row: Option<usize>| if row.is_some_and(|row| rows[row].word.may_run()) { own } else { 0.0 };
        // What waits for legs that are not known yet waits for their step.
        let late = step.deps.iter().filter(|dep| plan.legs.known(dep.step).is_none());
        let late = late.map(|dep| of_step[dep.step]).fold(0.0, f64::max);
        for leg in plan.legs.of_step(number) {
            let before = plan.needs(leg).iter().map(|need| until[need.0]).fold(late, f64::max);
            until[leg.0] = before + takes(row_of[leg.0]);
            of_step[number] = of_step[number].max(until[leg.0]);
        }
        if let Some(row) = deferred.remove(&number) {
            let before = step.deps.iter().map(|dep| of_step[dep.step]).fold(0.0, f64::max);
            of_step[number] = before + takes(Some(row));
        }
    }
    of_step.into_iter().fold(0.0, f64::max)
}

/// A line of the table.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    word: Word,
    price: String,
    why: Cow<'static, str>,
}

impl Line {
    fn draw(&self, names: usize, words: usize, prices: usize, room: usize) -> String {
        let (style, word) = (self.word.style(), self.word.text());
        let mut line = format!(
            "  {}   {style}{word}{style:#}{}   {}{}",
            screen::pad(&self.name, names),
            " ".repeat(words - word.len()),
            " ".repeat(prices - screen::columns(&self.price)),
            self.price,
        );
        if !self.why.is_empty() {
            let _ = write!(line, "   {DIM}{}{DIM:#}", screen::short(&self.why, room));
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests;
