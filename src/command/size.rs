//! Top floor, the command: how large systems are to be. Imports [`models`](crate::models).

use crate::models::{Model, Size};
use crate::report::count;

use super::Failure;

/// A size that was asked for: of what, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedSize {
    plural: &'static str,
    number: usize,
}

impl AskedSize {
    /// Of the flags at most one was given.
    pub(super) fn new(
        clients: Option<usize>,
        actions: Option<usize>,
        threads: Option<usize>,
    ) -> Option<AskedSize> {
        let flags = [("clients", clients), ("actions", actions), ("threads", threads)];
        let given = flags.into_iter().find_map(|(plural, number)| Some((plural, number?)));
        given.map(|(plural, number)| AskedSize { plural, number })
    }

    /// The size, if it is one for this model.
    pub(super) fn of(self, model: &dyn Model) -> Result<usize, Failure> {
        self.fitting(model.name(), &model.size()).map_err(Failure::Usage)
    }

    fn fitting(self, model: &str, size: &Size) -> Result<usize, String> {
        let (AskedSize { number, .. }, plural) = (self, size.plural());
        if self.plural != plural {
            return Err(format!("{model} is sized by {plural}; use --{plural}"));
        }
        if number < size.least {
            return Err(format!("{model} takes at least {}", count(size.least, size.noun)));
        }
        if number > size.most {
            let more = match size.is_clients() {
                true => "; for any number of clients, `check --engine any`",
                false => "",
            };
            return Err(format!("{model} takes at most {}{more}", count(size.most, size.noun)));
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_to_be_of_the_models_kind_and_within_its_bounds() {
        let actions = Size { noun: "action", least: 0, most: 4, tried: &[0, 1], ..Size::CLIENTS };
        let asked = |clients, actions_asked| {
            let asked = AskedSize::new(clients, actions_asked, None).unwrap();
            asked.fitting("credential", &actions)
        };
        assert_eq!(asked(None, Some(0)), Ok(0));
        assert_eq!(asked(None, Some(4)), Ok(4));
        assert_eq!(asked(None, Some(5)), Err("credential takes at most 4 actions".into()));
        let said = "credential is sized by actions; use --actions";
        assert_eq!(asked(Some(2), None), Err(said.into()));
    }
}
