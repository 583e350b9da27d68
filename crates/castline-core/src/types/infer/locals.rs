//! Names that a template sets itself.

use std::collections::BTreeMap;

use castline_spec::template::tree::Target;

use super::{Infer, Seen};
use crate::types::Type;

impl Infer<'_> {
    pub(super) fn local(&self, name: &str) -> Option<&Seen> {
        self.locals.iter().rev().find_map(|scope| scope.get(name))
    }

    pub(super) fn scoped<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(BTreeMap::new());
        let done = work(self);
        self.locals.pop();
        done
    }

    pub(super) fn bind(&mut self, target: &Target, value: Seen) {
        match target {
            Target::Name(name) => self.bind_name(name, value),
            Target::Several(targets) => {
                let item = |value: &Seen| match value {
                    Seen::Value(value) => Seen::Value(value.items().or_failure()),
                    _ => Seen::Value(Type::any()),
                };
                targets.iter().for_each(|target| self.bind(target, item(&value)));
            }
            Target::Attribute => {}
        }
    }

    pub(super) fn bind_name(&mut self, name: &str, value: Seen) {
        self.locals.last_mut().expect("never empty").insert(name.to_owned(), value);
    }

    /// Each name is what one of two branches left it.
    pub(super) fn join(&mut self, other: Vec<BTreeMap<String, Seen>>) {
        for (mine, theirs) in self.locals.iter_mut().zip(other) {
            for (name, seen) in &mut *mine {
                *seen = match (&*seen, theirs.get(name)) {
                    (one, Some(other)) if one == other => one.clone(),
                    (Seen::Value(one), Some(Seen::Value(other))) => Seen::Value(one.or(other)),
                    _ => Seen::Value(Type::unknown().or_failure()),
                };
            }
            for name in theirs.into_keys() {
                mine.entry(name).or_insert_with(|| Seen::Value(Type::unknown().or_failure()));
            }
        }
    }
}
