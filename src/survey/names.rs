//! Fourth floor, `survey`: the names that a person gives, looked up. Imports
//! [`models`](crate::models) and its neighbours in `survey`.

use super::Subject;
use crate::check::{DEADLOCK_FREE, Engine};
use crate::models::{Model, Scenario, Variant};

/// A name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`{}", hint(.nearest.as_deref(), known))]
pub struct UnknownName {
    /// What kind of name was expected: `model`, `variant of download`.
    pub what: String,
    /// The name.
    pub given: String,
    /// The known name that is most similar, if there is one.
    pub nearest: Option<String>,
    /// All known names.
    pub known: Vec<String>,
}

fn hint(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        // Some have a comma in them.
        None if known.iter().any(|name| name.contains(',')) => {
            format!("; there is `{}`", known.join("`, `"))
        }
        None => format!("; there is {}", known.join(", ")),
    }
}

/// A name that does not exist, or names that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuch {
    /// There is nothing with this name.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// The variant makes no sense in the scenario.
    #[error("{target} says nothing of `{scenario}`; it has {}", known.join(", "))]
    System {
        /// The variant: `transfer/ordered`.
        target: String,
        /// The scenario.
        scenario: String,
        /// The scenarios in which the variant makes sense.
        known: Vec<&'static str>,
    },
    /// The model has no levels: each of its variants is written for one level.
    #[error("{model} has no levels; {} has", known.join(", "))]
    Levels {
        /// The model.
        model: &'static str,
        /// The models that have levels.
        known: Vec<&'static str>,
    },
    /// The variant is not written for levels, or makes no sense at this one.
    #[error("there is no {target} at {level}; there is {}", known.join(", "))]
    AtLevel {
        /// The variant.
        target: String,
        /// The level.
        level: &'static str,
        /// The variants that exist at this level.
        known: Vec<&'static str>,
    },
}

/// Below this likeness (Jaro and Winkler's) a name is no guess at another.
const ALIKE: f64 = 0.75;

impl UnknownName {
    fn new(what: impl Into<String>, given: &str, known: &[&str]) -> UnknownName {
        let like = |name: &str| strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase());
        let likeness = known.iter().map(|name| (like(name), *name));
        let nearest = likeness
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|left, right| left.0.total_cmp(&right.0));
        UnknownName {
            what: what.into(),
            given: given.to_owned(),
            nearest: nearest.map(|(_, name)| name.to_owned()),
            known: known.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// A model, or one variant of it: `download`, `download/claim-file`.
#[derive(Clone, Copy)]
pub struct Target {
    /// The model.
    pub model: &'static dyn Model,
    /// The variant, if one was named.
    pub variant: Option<&'static Variant>,
}

impl Target {
    /// The variants in these scenarios, or in every scenario.
    pub fn subjects(&self, only: Option<&[&'static Scenario]>) -> Vec<Subject> {
        let (model, mut subjects) = (self.model, Vec::new());
        // A variant at a level may be none of the model's own.
        let variants = self.variant.map_or(model.variants(), std::slice::from_ref);
        for variant in variants {
            let asked = |known: &&Scenario| {
                only.is_none_or(|only| only.iter().any(|only| only.name == known.name))
            };
            let has = |known: &&Scenario| model.has(variant.name, known.name);
            for scenario in model.scenarios().iter().filter(asked).filter(has) {
                subjects.push(Subject { model, variant, scenario });
            }
        }
        subjects
    }

    /// The name of the target: `download`, `download/claim-file`.
    pub fn name(&self) -> String {
        let variant = self.variant.map_or(String::new(), |variant| format!("/{}", variant.name));
        format!("{}{variant}", self.model.name())
    }

    /// Its [subjects](Self::subjects) in the [scenarios](Self::scenarios) of this name. If there are
    /// none, the error says in which scenarios there are some.
    pub fn some_subjects(&self, scenario: Option<&str>) -> Result<Vec<Subject>, NoSuch> {
        let Some(name) = scenario else { return Ok(self.subjects(None)) };
        let subjects = self.subjects(Some(&self.scenarios(name)?));
        if !subjects.is_empty() {
            return Ok(subjects);
        }
        let mut known = Vec::new();
        for subject in self.subjects(None) {
            if !known.contains(&subject.scenario.name) {
                known.push(subject.scenario.name);
            }
        }
        Err(NoSuch::System { target: self.name(), scenario: name.to_owned(), known })
    }

    /// Its level of this name, in capitals or not.
    fn level(&self, name: &str) -> Result<&'static str, UnknownName> {
        let levels = self.model.levels();
        let found = levels.iter().find(|level| level.eq_ignore_ascii_case(name));
        found.copied().ok_or_else(|| {
            UnknownName::new(format!("level of {}", self.model.name()), name, levels)
        })
    }

    /// The scenario of this name; or those of this [family](Scenario::family): `power`.
    pub fn scenarios(&self, name: &str) -> Result<Vec<&'static Scenario>, UnknownName> {
        let all = self.model.scenarios();
        if let Some(scenario) = all.iter().find(|scenario| scenario.name == name) {
            return Ok(vec![scenario]);
        }
        let family: Vec<_> = all.iter().filter(|scenario| scenario.family() == name).collect();
        if family.is_empty() {
            let known: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
            return Err(UnknownName::new(
                format!("scenario of {}", self.model.name()),
                name,
                &known,
            ));
        }
        Ok(family)
    }
}

/// The names of a catalogue.
#[derive(Clone, Copy)]
pub struct Names(pub &'static [&'static dyn Model]);

impl Names {
    /// The target that `MODEL` or `MODEL/VARIANT` names.
    pub fn target(&self, text: &str) -> Result<Target, UnknownName> {
        let (model, variant) = match text.split_once('/') {
            Some((model, variant)) => (model, Some(variant)),
            None => (text, None),
        };
        let found = self.0.iter().find(|known| known.name() == model).ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|known| known.name()).collect();
            UnknownName::new("model", model, &known)
        })?;
        let variant = variant.map(|name| variant_of(*found, name)).transpose()?;
        Ok(Target { model: *found, variant })
    }

    /// The target at this level: the variant as it is there, or each variant that exists there.
    pub fn at_level(&self, target: &Target, name: &str) -> Result<Vec<Target>, NoSuch> {
        let model = target.model;
        if model.levels().is_empty() {
            let with = self.0.iter().filter(|model| !model.levels().is_empty());
            let known = with.map(|model| model.name()).collect();
            return Err(NoSuch::Levels { model: model.name(), known });
        }
        let level = target.level(name)?;
        let all = model
            .variants()
            .iter()
            .filter_map(|variant| Some((variant.name, model.at_level(variant.name, level)?)));
        let found: Vec<Target> = all
            .clone()
            .filter(|(name, _)| target.variant.is_none_or(|only| only.name == *name))
            .map(|(_, variant)| Target { model, variant: Some(variant) })
            .collect();
        if found.is_empty() {
            let known = all.map(|(name, _)| name).collect();
            return Err(NoSuch::AtLevel { target: target.name(), level, known });
        }
        Ok(found)
    }

    /// Checks that these subjects have a property with this name.
    pub fn property(&self, subjects: &[Subject], name: &str) -> Result<(), UnknownName> {
        let cases =
            subjects.iter().filter_map(|subject| subject.case(subject.model.size().representative));
        let mut known: Vec<String> = vec![DEADLOCK_FREE.to_owned()];
        for (property, _) in cases.flat_map(|case| case.properties()) {
            if !known.contains(&property) {
                known.push(property);
            }
        }
        if known.iter().any(|known| known == name) {
            return Ok(());
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Err(UnknownName::new("property", name, &known))
    }

    /// The engine with this name; `None` for `all`.
    pub fn engine(&self, name: &str) -> Result<Option<Engine>, UnknownName> {
        if name == "all" {
            return Ok(None);
        }
        let found = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        found.map(Some).ok_or_else(|| {
            let known: Vec<&str> = Engine::ALL.iter().map(|e| e.name()).chain(["all"]).collect();
            UnknownName::new("engine", name, &known)
        })
    }
}

fn variant_of(model: &'static dyn Model, name: &str) -> Result<&'static Variant, UnknownName> {
    let variants = model.variants();
    variants.iter().find(|variant| variant.name == name).ok_or_else(|| {
        let known: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        UnknownName::new(format!("variant of {}", model.name()), name, &known)
    })
}
