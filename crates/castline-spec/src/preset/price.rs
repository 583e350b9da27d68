//! What a prediction costs, as a preset, a route or a project says.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::document::Reader;
use crate::raw::{Node, NodeKind};
use crate::span::{Span, Spanned};
use crate::template::{Scope, Template};

/// The keys of a price.
pub const PRICE_KEYS: &[&str] = &["usd", "per", "if", "quantity", "per_run_usd", "as_of", "source"];

/// The units of a price that castline can count by itself.
pub const UNITS: &[&str] = &[
    "run",
    "image",
    "second",
    "megapixel",
    "input-megapixel",
    "gpu-second",
    "kilotoken",
    "input-kilotoken",
    "output-kilotoken",
];

/// A price.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceRule {
    /// Where it stands.
    pub span: Span,
    /// USD for one unit, at least.
    pub usd_min: f64,
    /// USD for one unit, at most.
    pub usd_max: f64,
    /// The unit: `image`, `run`, `second`, `megapixel`, `input-megapixel`, ...
    pub per: String,
    /// `if`: holds for these inputs, an expression over `input`.
    pub condition: Option<Spanned<String>>,
    /// `quantity`: how many units, an expression over `input`.
    pub quantity: Option<Spanned<String>>,
    /// USD for each run besides.
    pub per_run_usd: f64,
    /// When the price was read, `2026-01`.
    pub as_of: Option<String>,
    /// Where it was read.
    pub source: Option<String>,
}

impl Reader<'_> {
    /// One price or a list of them.
    pub(crate) fn prices(&mut self, node: &Node) -> Vec<PriceRule> {
        let what = "`price`";
        if !matches!(node.kind, NodeKind::List(_) | NodeKind::Map(_)) {
            self.wrong_type(node, what, "a map or a list of maps");
            return Vec::new();
        }
        Self::one_or_list(node).iter().filter_map(|node| self.price(node)).collect()
    }

    fn price(&mut self, node: &Node) -> Option<PriceRule> {
        let fields = self.fields(node, "a price", PRICE_KEYS)?;
        for key in ["usd", "per"].into_iter().filter(|key| fields.get(key).is_none()) {
            self.missing(&fields, "a price", key);
        }
        let usd = fields.get("usd").map(|node| self.usd(node));
        let per = fields.get("per").map(|node| self.unit(node, fields.get("quantity").is_some()));
        let condition = fields.get("if").and_then(|node| self.price_expression(node, "`if`"));
        let quantity = fields.get("quantity").and_then(|node| self.price_expression(node, "`quantity`"));
        let per_run = fields.get("per_run_usd").and_then(|node| self.amount(node, "`per_run_usd`"));
        let as_of = fields.get("as_of").and_then(|node| self.string(node, "`as_of`"));
        let source = fields.get("source").and_then(|node| self.string(node, "`source`"));
        let (usd_min, usd_max) = usd??;
        Some(PriceRule {
            span: node.span,
            usd_min,
            usd_max,
            per: per??,
            condition,
            quantity,
            per_run_usd: per_run.unwrap_or(0.0),
            as_of,
            source,
        })
    }

    /// `image`. Any other word than [`UNITS`] needs a `quantity`; one that is almost one of them is
    /// taken for a slip even so.
    fn unit(&mut self, node: &Node, counted: bool) -> Option<String> {
        let unit = self.string(node, "`per`")?;
        let near = nearest(&unit, UNITS.iter().copied());
        if UNITS.contains(&unit.as_str()) || (counted && near.is_none()) {
            return Some(unit);
        }
        let message = format!("castline cannot count by `{unit}`");
        let finding = match counted {
            true => Diagnostic::warning(Code::InvalidValue, self.source, node.span, message),
            false => self.error(Code::InvalidValue, node.span, message),
        };
        let finding = match near {
            Some(near) => {
                finding.hint(format!("there is the unit `{near}`")).suggest(node.span, near.to_owned())
            }
            None => finding.hint(format!(
                "say how many with `quantity`, or use one of {}",
                UNITS.iter().map(|unit| format!("`{unit}`")).collect::<Vec<_>>().join(", ")
            )),
        };
        self.push(finding);
        Some(unit)
    }

    /// `0.04` or `[0.04, 0.08]`.
    fn usd(&mut self, node: &Node) -> Option<(f64, f64)> {
        let NodeKind::List(bounds) = &node.kind else {
            return self.amount(node, "`usd`").map(|usd| (usd, usd));
        };
        let [least, most] = bounds.as_slice() else {
            self.push(self.error(Code::InvalidValue, node.span, "a range of prices is `[least, most]`"));
            return None;
        };
        let (least, most) = (self.amount(least, "`usd`")?, self.amount(most, "`usd`")?);
        if least > most {
            let message = format!("a range of prices begins with the least: `[{most}, {least}]`");
            self.push(self.error(Code::InvalidValue, node.span, message));
        }
        Some((least.min(most), least.max(most)))
    }

    /// An expression over `input`.
    fn price_expression(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        if let NodeKind::Number(_) | NodeKind::Bool(_) = node.kind {
            return Some(Spanned::new(self.source.slice(node.span).to_owned(), node.span));
        }
        let text = self.text(node, what)?;
        match Template::expression(text, self.source, Scope::PRICE) {
            Ok(template) => Some(Spanned::new(template.code.to_string(), node.span)),
            Err(findings) => {
                self.found.extend(findings);
                None
            }
        }
    }
}
