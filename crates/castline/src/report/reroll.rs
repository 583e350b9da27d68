//! The line that keeps a re-rolled draw.

use castline_core::Value;
use castline_core::graph::{depth, own_name};
use castline_core::plan::{Plan, Reroll, is_label};
use castline_spec::Name;

use crate::screen::{BOLD, printable};

/// For each `--reroll`, what to write into the file so that its draw stays.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.choices.rerolls.iter().map(|reroll| line(plan, reroll)).collect()
}

fn line(plan: &Plan, reroll: &Reroll) -> String {
    let step = &plan.graph.steps[reroll.step].name;
    let calls = depth(step);
    if let Some(axis) = reroll.legs.keys().find(|axis| depth(axis) < calls) {
        return format!(
            "the new draw of `{step}` cannot be kept for one `{axis}` alone: its workflow does not know that \
             axis; give the workflow an input for `draw`"
        );
    }
    let conditions: Vec<_> =
        reroll.legs.iter().map(|(axis, label)| condition(plan, reroll.step, axis, label)).collect();
    // In quotes: a draw of digits alone would be a number, and another draw.
    let draw = match conditions.as_slice() {
        [] => format!("draw: \"{}\"", reroll.draw),
        all => format!("draw: \"{{{{ '{}' if {} else none }}}}\"", reroll.draw, all.join(" and ")),
    };
    let place = match calls {
        0 => "write into the step".to_owned(),
        _ => format!(
            "for every call of `{}` write into its step",
            printable(&castline_runner::shown(std::path::Path::new(
                &*plan.graph.steps[reroll.step].source.name
            )))
        ),
    };
    format!("to keep the new draw of `{step}`, {place}: {BOLD}{}{BOLD:#}", printable(&draw))
}

/// `each.style == 'linocut'`, with the value as the axis has it.
fn condition(plan: &Plan, step: usize, axis: &Name, said: &str) -> String {
    let mut axes = plan.legs.axes_of(step).iter().map(|id| &plan.legs.axes[id.0]);
    let found = axes.find(|a| a.name == *axis).and_then(|a| {
        let exact = a.labels.iter().position(|l| l == said);
        let at = exact.or_else(|| a.labels.iter().position(|l| is_label(l, said)))?;
        Some((a.labels[at].as_str(), a.values.get(at)?))
    });
    let (label, found) = found.map_or((said, None), |(label, value)| (label, Some(value)));
    let axis = own_name(axis);
    // A row is called by one of its cells.
    if let Some(Value::Map(row)) = found {
        let named = row.iter().find(|(_, cell)| match cell {
            Value::String(text) => text == label,
            Value::Number(number) => number.to_string() == label,
            _ => false,
        });
        if let Some((column, cell)) = named {
            return format!("each.{axis}.{column} == {}", literal(Some(cell), label));
        }
    }
    format!("each.{axis} == {}", literal(found, label))
}

/// A value as a template writes it.
fn literal(value: Option<&Value>, label: &str) -> String {
    match value {
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Bool(b)) => b.to_string(),
        _ => format!("'{}'", label.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}
