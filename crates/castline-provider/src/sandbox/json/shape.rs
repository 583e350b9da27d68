//! Reads a schema at one place: references followed, combinations merged into one map of
//! keywords. Where there are branches, somebody chooses.
//!
//! Start reading at [`Shapes::flat`].

use serde_json::{Map, Value as Json, json};

/// The keywords of one place.
pub(crate) type Keys = Map<String, Json>;

/// References that lead further than this lead nowhere.
const DEEPEST: usize = 64;

/// What [`Shapes::flat`] has dealt with, or what says nothing about a value.
const SPENT: [&str; 13] = [
    "$ref",
    "$defs",
    "definitions",
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "then",
    "else",
];

/// Keywords of which a value has to be tried out.
const HARD: [&str; 11] = [
    "not",
    "oneOf",
    "if",
    "contains",
    "dependentSchemas",
    "pattern",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "$dynamicRef",
];

/// The schemas below one root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shapes<'a> {
    root: &'a Json,
}

/// Picks a number below another one.
pub(crate) type Choose<'c> = &'c mut dyn FnMut(usize) -> usize;

impl<'a> Shapes<'a> {
    pub(crate) fn new(root: &'a Json) -> Self {
        Self { root }
    }

    /// All keywords that hold for a value, or why there can be no such value. `plain` asks
    /// for branches that go no deeper.
    pub(crate) fn flat(self, schema: &Json, plain: bool, choose: Choose<'_>) -> Result<Keys, String> {
        self.flat_at(schema, plain, choose, 0)
    }

    fn flat_at(self, schema: &Json, plain: bool, choose: Choose<'_>, depth: usize) -> Result<Keys, String> {
        if depth > DEEPEST {
            return Err("its references go round in a circle".to_owned());
        }
        let map = match schema {
            Json::Object(map) => map,
            Json::Bool(false) => return Err("its schema is `false`, which takes nothing".to_owned()),
            _ => return Ok(Keys::new()),
        };
        let kept = |(key, _): &(&String, &Json)| !SPENT.contains(&key.as_str());
        let mut keys: Keys = map.iter().filter(kept).map(|(k, v)| (k.clone(), v.clone())).collect();
        if let Some(target) = map.get("$ref").and_then(Json::as_str) {
            let target = self.target(target).ok_or_else(|| format!("`{target}` leads nowhere"))?;
            keys = merged(keys, self.flat_at(target, plain, choose, depth + 1)?)?;
        }
        for part in listed(map, "allOf") {
            keys = merged(keys, self.flat_at(part, plain, choose, depth + 1)?)?;
        }
        for combination in ["anyOf", "oneOf"] {
            let branches = listed(map, combination);
            if !branches.is_empty() {
                keys = self.branch(&keys, branches, plain, choose, depth)?;
            }
        }
        if let Some(condition) = map.get("if") {
            let truth = Json::Bool(true);
            let (then, other) = (map.get("then").unwrap_or(&truth), map.get("else").unwrap_or(&truth));
            let yes = json!({ "allOf": [condition, then] });
            keys = self.branch(&keys, &[yes, other.clone()], plain, choose, depth)?;
        }
        for (name, more) in map.get("dependentSchemas").and_then(Json::as_object).into_iter().flatten() {
            if keys.get("properties").is_some_and(|p| p.get(name).is_some()) || requires(&keys, name) {
                keys = merged(keys, self.flat_at(more, plain, choose, depth + 1)?)?;
            }
        }
        Ok(keys)
    }

    /// The chosen branch, or the next one that goes together with the rest. Null comes last,
    /// unless the value is to be plain.
    fn branch(
        self,
        keys: &Keys,
        branches: &[Json],
        plain: bool,
        choose: Choose<'_>,
        depth: usize,
    ) -> Result<Keys, String> {
        let first = choose(branches.len());
        let mut order: Vec<usize> = (0..branches.len()).map(|i| (first + i) % branches.len()).collect();
        order.sort_by_key(|i| {
            let branch = &branches[*i];
            let (none, deeper) = (branch["type"] == "null", branch.to_string().contains("\"$ref\""));
            if plain { (deeper, !none) } else { (none, false) }
        });
        let mut why = String::new();
        for index in order {
            let found = self
                .flat_at(&branches[index], plain, choose, depth + 1)
                .and_then(|more| merged(keys.clone(), more));
            match found {
                Ok(keys) => return Ok(keys),
                Err(dead) => why = dead,
            }
        }
        Err(why)
    }

    /// What a reference names: a pointer from the root, or an anchor.
    fn target(self, reference: &str) -> Option<&'a Json> {
        let fragment = reference.strip_prefix('#')?;
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.root.pointer(&unescaped(fragment));
        }
        let definitions = ["$defs", "definitions"].iter().filter_map(|key| self.root.get(key)?.as_object());
        definitions.flat_map(|map| map.values()).find(|schema| schema["$anchor"] == fragment)
    }

    /// True when a value has to be held against the schema to know whether it fits.
    pub(crate) fn is_hard(self, schema: &Json) -> bool {
        self.is_hard_at(schema, 0)
    }

    fn is_hard_at(self, schema: &Json, depth: usize) -> bool {
        let Some(map) = schema.as_object().filter(|_| depth <= DEEPEST) else { return false };
        let inside = |schema: &Json| self.is_hard_at(schema, depth + 1);
        HARD.iter().any(|key| map.contains_key(*key))
            || listed(map, "allOf").iter().chain(listed(map, "anyOf")).any(inside)
            || map.get("$ref").and_then(Json::as_str).and_then(|r| self.target(r)).is_some_and(inside)
    }

    /// A schema on its own, with the definitions that it may refer to.
    pub(crate) fn alone(self, schema: &Json) -> Json {
        let mut alone = json!({ "allOf": [schema] });
        for key in ["$defs", "definitions"] {
            if let Some(definitions) = self.root.get(key) {
                alone[key] = definitions.clone();
            }
        }
        alone
    }
}

fn unescaped(fragment: &str) -> String {
    fragment.replace("%25", "%").replace("%24", "$").replace("%20", " ")
}

fn listed<'m>(map: &'m Keys, key: &str) -> &'m [Json] {
    map.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// True when a property must be there.
pub(crate) fn requires(keys: &Keys, name: &str) -> bool {
    listed(keys, "required").iter().any(|required| required == name)
}

/// Both at once, or why that cannot be.
pub(crate) fn merged(mut keys: Keys, more: Keys) -> Result<Keys, String> {
    for (key, theirs) in more {
        let together = match keys.remove(&key) {
            None => theirs,
            Some(ours) if ours == theirs => ours,
            Some(ours) => both(&key, ours, theirs)?,
        };
        keys.insert(key, together);
    }
    listed_const(&mut keys)?;
    Ok(keys)
}

/// A `const` is one of the `enum`, else nothing is.
fn listed_const(keys: &mut Keys) -> Result<(), String> {
    let Some(only) = keys.get("const").cloned() else { return Ok(()) };
    match keys.get("enum").and_then(Json::as_array) {
        Some(options) if !options.contains(&only) => Err(format!("`const` {only} is not in its `enum`")),
        _ => {
            keys.remove("enum");
            Ok(())
        }
    }
}

fn both(key: &str, ours: Json, theirs: Json) -> Result<Json, String> {
    Ok(match key {
        "type" => types(&ours, &theirs)?,
        "const" => return Err(format!("it would have to be {ours} and {theirs} at once")),
        "enum" => {
            let theirs = theirs.as_array().cloned().unwrap_or_default();
            let common: Vec<_> =
                ours.as_array().into_iter().flatten().filter(|v| theirs.contains(v)).collect();
            if common.is_empty() {
                return Err("its lists of `enum` have nothing in common".to_owned());
            }
            json!(common)
        }
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" | "minContains" => {
            larger(ours, theirs, true)
        }
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" | "maxContains" => {
            larger(ours, theirs, false)
        }
        "multipleOf" => multiple(ours, theirs),
        "uniqueItems" => json!(ours == true || theirs == true),
        "required" => union(&ours, &theirs),
        "properties" | "patternProperties" | "dependentRequired" | "dependentSchemas" => {
            maps(key == "dependentRequired", ours, theirs)
        }
        "items" | "additionalProperties" | "contains" | "propertyNames" | "not" => match (&ours, &theirs) {
            (_, Json::Bool(true)) => ours,
            (Json::Bool(true), _) => theirs,
            _ if key == "not" => json!({ "anyOf": [ours, theirs] }),
            (Json::Bool(false), _) | (_, Json::Bool(false)) => json!(false),
            _ => json!({ "allOf": [ours, theirs] }),
        },
        // Titles and the like: the outer one is about this place.
        _ => ours,
    })
}

fn types(ours: &Json, theirs: &Json) -> Result<Json, String> {
    let list = |types: &Json| match types {
        Json::String(one) => vec![one.clone()],
        other => {
            other.as_array().into_iter().flatten().filter_map(|t| Some(t.as_str()?.to_owned())).collect()
        }
    };
    let (ours, theirs) = (list(ours), list(theirs));
    let takes = |types: &[String], t: &str| types.iter().any(|o| o == t || (o == "number" && t == "integer"));
    let mut common: Vec<String> = ours.iter().filter(|t| takes(&theirs, t)).cloned().collect();
    common.extend(theirs.iter().filter(|t| takes(&ours, t)).cloned());
    common.sort();
    common.dedup();
    if common.is_empty() {
        return Err(format!("it would have to be {} and {} at once", ours.join(" or "), theirs.join(" or ")));
    }
    Ok(json!(common))
}

fn larger(ours: Json, theirs: Json, largest: bool) -> Json {
    let more = theirs.as_f64().unwrap_or(0.0) > ours.as_f64().unwrap_or(0.0);
    if more == largest { theirs } else { ours }
}

fn multiple(ours: Json, theirs: Json) -> Json {
    match (ours.as_u64(), theirs.as_u64()) {
        (Some(a @ 1..), Some(b @ 1..)) => {
            let (mut x, mut y) = (a, b);
            while y != 0 {
                (x, y) = (y, x % y);
            }
            (a / x).checked_mul(b).map_or(ours, |least| json!(least))
        }
        _ => larger(ours, theirs, true),
    }
}

fn union(ours: &Json, theirs: &Json) -> Json {
    let mut all = ours.as_array().cloned().unwrap_or_default();
    for one in theirs.as_array().into_iter().flatten() {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
    json!(all)
}

fn maps(lists: bool, ours: Json, theirs: Json) -> Json {
    let (Json::Object(mut ours), Json::Object(theirs)) = (ours, theirs) else { return json!({}) };
    for (name, theirs) in theirs {
        let together = match ours.get(&name).cloned() {
            None => theirs,
            Some(ours) if lists => union(&ours, &theirs),
            Some(ours) => json!({ "allOf": [ours, theirs] }),
        };
        ours.insert(name, together);
    }
    Json::Object(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(schema: &Json) -> Result<Json, String> {
        Shapes::new(schema).flat(schema, false, &mut |_| 0).map(Json::Object)
    }

    #[test]
    fn all_of_is_everything_at_once() {
        let schema = json!({
            "title": "ours",
            "allOf": [
                { "type": ["number", "string"], "minimum": 2, "title": "theirs" },
                { "type": "integer", "minimum": 5, "maximum": 9, "multipleOf": 4 },
                { "multipleOf": 6 }
            ]
        });
        assert_eq!(
            flat(&schema).unwrap(),
            json!({ "title": "ours", "type": ["integer"], "minimum": 5, "maximum": 9, "multipleOf": 12 })
        );
    }

    #[test]
    fn references_are_followed_and_circles_end() {
        let schema = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "string" } } });
        assert_eq!(flat(&schema).unwrap(), json!({ "type": "string" }));
        assert_eq!(flat(&json!({ "$ref": "#" })).unwrap_err(), "its references go round in a circle");
        assert_eq!(flat(&json!({ "$ref": "#/nowhere" })).unwrap_err(), "`#/nowhere` leads nowhere");
    }

    #[test]
    fn a_branch_that_contradicts_the_rest_is_not_taken() {
        let schema = json!({ "type": "string", "oneOf": [{ "type": "integer" }, { "maxLength": 3 }] });
        assert_eq!(flat(&schema).unwrap(), json!({ "type": "string", "maxLength": 3 }));
        let never = json!({ "type": "string", "allOf": [{ "type": "integer" }] });
        assert_eq!(flat(&never).unwrap_err(), "it would have to be string and integer at once");
    }
}
