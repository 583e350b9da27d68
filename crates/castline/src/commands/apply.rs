//! `castline apply`: runs exactly what a plan says, or refuses.

use castline_core::frozen::{BudgetFrom, Frozen};
use castline_runner::{Trouble, plan_file};

use super::{run, runtime};
use crate::cli::Apply;
use crate::exit::Exit;
use crate::screen;

/// Nothing is asked and nothing created before all is found to be as it was.
pub(crate) fn apply(flags: &Apply) -> Result<Exit, Trouble> {
    let runtime = runtime()?;
    let exit = runtime.block_on(go(flags));
    // What hangs in a thread holds up nothing: its results are in the store or will be adopted.
    runtime.shutdown_background();
    exit
}

async fn go(flags: &Apply) -> Result<Exit, Trouble> {
    let (job, plan) = plan_file::thaw(&flags.plan, &flags.wishes()).await?;
    if let Some(line) = spends(&plan) {
        screen::say(&line);
    }
    run::carry_out(job, &flags.talk).await
}

/// What applying a plan may spend, and who says so; none where nobody takes money.
pub(super) fn spends(plan: &Frozen) -> Option<String> {
    let budget = plan.budget?;
    let usd = budget.usd.0;
    Some(match budget.from {
        BudgetFrom::Total => format!("applying it spends {usd} at most"),
        BudgetFrom::Given => format!("applying it spends {usd} at most, as `--budget` said"),
        BudgetFrom::Usual => format!(
            "applying it spends {usd} at most, the budget of any run: the price of some legs is not known \
             yet; `plan -o --budget` sets another"
        ),
    })
}
