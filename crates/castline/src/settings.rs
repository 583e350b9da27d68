//! Every setting that can be made in more than one place: one table.
//!
//! `doctor` prints who wins; `docs/reference/settings.md` prints the same table, and a test
//! holds the two together. The decisions themselves are the runner's.

use castline_runner::Project;

use crate::cli::{Common, Overrides};
use crate::log::holds_a_secret;
use crate::screen::Color;

/// A setting. The first source that says something wins: flag, environment, project, default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// What it is called.
    pub name: &'static str,
    /// The flag of `run`.
    pub flag: Option<&'static str>,
    /// The environment variable.
    pub variable: Option<&'static str>,
    /// The key of the project.
    pub key: Option<&'static str>,
    /// What holds when nobody says anything.
    pub default: &'static str,
    by_flag: fn(&Flags<'_>) -> Option<String>,
    by_project: fn(&castline_spec::Project) -> Option<String>,
}

/// The flags that a setting can come from.
pub(crate) struct Flags<'a> {
    /// Those of a run.
    pub overrides: &'a Overrides,
    /// Those of every command.
    pub common: &'a Common,
}

/// Who decided about a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of the command.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// `castline.yaml`.
    Project(String),
    /// Nobody.
    Default,
}

/// What holds, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The name of the setting.
    pub name: String,
    /// Its value; of a secret only whether it is there.
    pub value: String,
    /// Who said so.
    pub origin: Origin,
}

const NOTHING: Setting = Setting {
    name: "",
    flag: None,
    variable: None,
    key: None,
    default: "none",
    by_flag: |_| None,
    by_project: |_| None,
};

/// Every setting.
pub(crate) const ALL: &[Setting] = &[
    Setting {
        name: "provider",
        flag: Some("--provider"),
        variable: Some("CASTLINE_PROVIDER"),
        key: Some("provider"),
        default: "sandbox",
        by_flag: |flags| flags.overrides.provider.clone(),
        by_project: |project| Some(project.provider.as_ref()?.value.clone()),
    },
    Setting {
        name: "budget of a run",
        flag: Some("--budget"),
        key: Some("limits.budget_usd"),
        default: "5.00 USD on a live provider, else none",
        by_flag: |flags| flags.overrides.budget.map(|usd| usd.to_string()),
        by_project: |project| Some(format!("{:.2} USD", project.limits.budget_usd.as_ref()?.value)),
        ..NOTHING
    },
    Setting {
        name: "budget of 24 hours",
        key: Some("limits.budget_usd_per_day"),
        by_project: |project| Some(format!("{:.2} USD", project.limits.budget_usd_per_day.as_ref()?.value)),
        ..NOTHING
    },
    Setting {
        name: "ask above",
        flag: Some("--yes"),
        key: Some("limits.confirm_above_usd"),
        default: "1.00 USD",
        // A project only asks earlier.
        by_project: |project| {
            let usd = project.limits.confirm_above_usd.as_ref()?.value;
            (usd < 1.0).then(|| format!("{usd:.2} USD"))
        },
        ..NOTHING
    },
    Setting {
        name: "predictions in flight",
        flag: Some("--parallel"),
        key: Some("limits.parallel"),
        default: "16",
        by_flag: |flags| flags.overrides.ways.parallel.map(|n| n.to_string()),
        by_project: |project| Some(project.limits.parallel.as_ref()?.value.to_string()),
        ..NOTHING
    },
    Setting {
        name: "folder of outputs",
        flag: Some("--out"),
        key: Some("out"),
        default: "out",
        by_flag: |flags| flags.overrides.ways.out.as_ref().map(|out| out.display().to_string()),
        by_project: |project| Some(project.out.as_ref()?.value.clone()),
        ..NOTHING
    },
    Setting {
        name: "folder of the store",
        variable: Some("CASTLINE_STORE"),
        key: Some("store"),
        default: ".castline",
        by_project: |project| Some(project.store.as_ref()?.value.clone()),
        ..NOTHING
    },
    Setting { name: "token of `replicate`", variable: Some("REPLICATE_API_TOKEN"), ..NOTHING },
    Setting { name: "token of `cometapi`", variable: Some("COMETAPI_KEY"), ..NOTHING },
    Setting { name: "tokens for other hosts", variable: Some("CASTLINE_TRUST"), ..NOTHING },
    Setting {
        name: "log",
        flag: Some("-v"),
        variable: Some("CASTLINE_LOG"),
        default: "warnings",
        by_flag: |flags| match flags.common.verbose {
            0 => None,
            1 => Some("more".to_owned()),
            _ => Some("everything".to_owned()),
        },
        ..NOTHING
    },
    Setting {
        name: "colors",
        flag: Some("--color"),
        variable: Some("NO_COLOR"),
        default: "on a terminal",
        by_flag: |flags| match flags.common.color {
            Color::Auto => None,
            Color::Always => Some("always".to_owned()),
            Color::Never => Some("never".to_owned()),
        },
        ..NOTHING
    },
];

impl Setting {
    /// Who wins. `environment` finds a variable.
    pub(crate) fn held(
        &self,
        flags: &Flags<'_>,
        environment: &dyn Fn(&str) -> Option<String>,
        project: &Project,
    ) -> Held {
        let by_variable = || {
            let variable = self.variable?;
            let value = environment(variable).filter(|value| !value.is_empty())?;
            let value = if holds_a_secret(variable) { "set".to_owned() } else { value };
            Some((value, Origin::Environment(variable.to_owned())))
        };
        let by_project = || {
            let value = project.document.as_ref().and_then(self.by_project)?;
            Some((value, Origin::Project(self.key?.to_owned())))
        };
        let by_flag = || Some(((self.by_flag)(flags)?, Origin::Flag(self.flag?)));
        let (value, origin) = by_flag()
            .or_else(by_variable)
            .or_else(by_project)
            .unwrap_or_else(|| (self.default.to_owned(), Origin::Default));
        Held { name: self.name.to_owned(), value, origin }
    }
}

/// Every setting with what holds, the tokens of the project's own providers too.
pub(crate) fn held(
    flags: &Flags<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
    project: &Project,
) -> Vec<Held> {
    let mut all: Vec<_> = ALL.iter().map(|setting| setting.held(flags, environment, project)).collect();
    for (name, provider) in project.document.iter().flat_map(|d| &d.providers) {
        let Some(variable) = &provider.token_env else { continue };
        let is_set = environment(&variable.value).is_some_and(|value| !value.is_empty());
        all.push(Held {
            name: format!("token of `{name}`"),
            value: if is_set { "set" } else { "none" }.to_owned(),
            origin: Origin::Environment(variable.value.clone()),
        });
    }
    all
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Project(key) => write!(f, "project {key}"),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use castline_spec::Source;

    use super::*;

    fn project(text: &str) -> Project {
        let (document, found) = castline_spec::Project::parse(&Source::new("castline.yaml", text));
        assert!(found.list.is_empty(), "{found:?}");
        Project { root: "/project".into(), document }
    }

    const SILENT: Common = Common { verbose: 0, color: Color::Auto };

    fn provider(
        flags: &Overrides,
        environment: &dyn Fn(&str) -> Option<String>,
        text: &str,
    ) -> (String, String) {
        let flags = Flags { overrides: flags, common: &SILENT };
        let held = ALL[0].held(&flags, environment, &project(text));
        (held.value, held.origin.to_string())
    }

    #[test]
    fn flag_beats_environment_beats_project_beats_default() {
        let flags = Overrides { provider: Some("a".to_owned()), ..Overrides::default() };
        let silent = Overrides::default();
        let set = |name: &str| (name == "CASTLINE_PROVIDER").then(|| "b".to_owned());
        let unset = |_: &str| None;
        let said = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
        assert_eq!(provider(&flags, &set, "provider: c"), said("a", "flag --provider"));
        assert_eq!(provider(&silent, &set, "provider: c"), said("b", "environment CASTLINE_PROVIDER"));
        assert_eq!(provider(&silent, &unset, "provider: c"), said("c", "project provider"));
        assert_eq!(provider(&silent, &unset, ""), said("sandbox", "default"));
    }

    #[test]
    fn the_value_of_a_token_is_not_shown() {
        let text = "providers:\n  own: { kind: replicate, base_url: http://localhost/v1, token_env: OWN }\n";
        let flags = Flags { overrides: &Overrides::default(), common: &SILENT };
        let all = held(&flags, &|_| Some("geheim".to_owned()), &project(text));
        let tokens: Vec<_> = all.iter().filter(|h| h.name.starts_with("token of")).collect();
        assert_eq!(tokens.len(), 3);
        assert!(tokens.iter().all(|h| h.value == "set"), "{tokens:?}");
    }

    #[test]
    fn what_every_command_takes_is_a_setting_as_well() {
        let said = |common: &Common, environment: &dyn Fn(&str) -> Option<String>| {
            let flags = Flags { overrides: &Overrides::default(), common };
            let all = held(&flags, environment, &project(""));
            let of = |name: &str| all.iter().find(|held| held.name == name).map(|held| held.value.clone());
            (of("log").unwrap(), of("colors").unwrap())
        };
        let both = |log: &str, colors: &str| (log.to_owned(), colors.to_owned());
        let loud = Common { verbose: 1, color: Color::Always };
        let set = |_: &str| Some("1".to_owned());
        assert_eq!(said(&SILENT, &|_| None), both("warnings", "on a terminal"));
        assert_eq!(said(&loud, &|_| None), both("more", "always"));
        assert_eq!(said(&loud, &set), both("more", "always"));
        assert_eq!(said(&SILENT, &set), both("1", "1"));
    }

    #[test]
    fn every_documented_setting_is_in_the_table() {
        let page = include_str!("../../../docs/reference/settings.md");
        let code = |cell: &str| cell.trim().trim_matches('`').to_owned();
        for row in page.lines().filter(|l| l.starts_with("| ")).skip(1) {
            let cells: Vec<_> = row.split('|').skip(1).map(str::trim).collect();
            let (name, variable, key) = (cells[0], cells[2], cells[3]);
            if name.starts_with("---") || name == "token of another provider" {
                continue;
            }
            let setting = ALL.iter().find(|s| s.name == name);
            let setting = setting.unwrap_or_else(|| panic!("`{name}` is documented and not a setting"));
            assert_eq!(setting.variable.unwrap_or_default(), code(variable), "{name}");
            assert_eq!(setting.key.unwrap_or_default(), code(key), "{name}");
        }
    }
}
