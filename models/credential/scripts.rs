//! Which scripts an attacker of `credential` can follow. Fourth floor: imports
//! [`fs`](crate::fs) and its neighbours.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Layout;
use super::actors::{Action, Victim};
use crate::fs::{As, SimFile, SimFs, User, Users};
use crate::{Process, Step};

type Writer = As<Victim<SimFile>>;

/// The scripts of at most `length` actions that can differ in what comes of them: those of which
/// every action can succeed, one after the other, at some points of the victim's program. One with
/// an action that fails is the shorter script without it.
pub(super) fn scripts(
    world: &SimFs,
    victim: &Writer,
    attacker: User,
    layout: Layout,
    length: usize,
) -> Vec<Vec<Action>> {
    let mut search = Search { attacker, layout, seen: FxHashMap::default(), worlds: Vec::new() };
    let start = search.code((world.clone(), Some(victim.clone())));
    let reached = search.closure([start]);
    let mut found = Vec::new();
    search.extend(&mut Vec::new(), &reached, length, &mut found);
    found.sort_by_key(|script| (script.len(), script.clone()));
    found
}

/// A world and where the victim stands; it has ended if nowhere.
type Stand = (SimFs, Option<Writer>);

struct Search {
    attacker: User,
    layout: Layout,
    seen: FxHashMap<Stand, usize>,
    worlds: Vec<Known>,
}

/// A stand, and where each known action leads from it; the victim's next step is that of nobody.
struct Known {
    stand: Stand,
    after: FxHashMap<Option<Action>, Option<usize>>,
}

impl Search {
    fn code(&mut self, stand: Stand) -> usize {
        if let Some(known) = self.seen.get(&stand) {
            return *known;
        }
        let code = self.worlds.len();
        self.seen.insert(stand.clone(), code);
        self.worlds.push(Known { stand, after: FxHashMap::default() });
        code
    }

    /// Where this action leads, if it succeeds; or the victim's next step, if there is one.
    fn after(&mut self, code: usize, action: Option<Action>) -> Option<usize> {
        if let Some(known) = self.worlds[code].after.get(&action) {
            return *known;
        }
        let (mut world, victim) = self.worlds[code].stand.clone();
        let victim = match action {
            Some(action) => {
                let before = world.act_as(self.attacker).ok();
                let done = action.perform(&mut world);
                before.map(|before| world.act_as(before));
                done.is_ok().then_some(victim)
            }
            None => victim.map(|victim| match victim.step(&mut world) {
                Step::Next(victim) | Step::Blocked(victim) => Some(victim),
                Step::Done(_) | Step::Choice(_) => None,
            }),
        };
        let after = victim.map(|victim| self.code((world, victim)));
        self.worlds[code].after.insert(action, after);
        after
    }

    /// These stands, and all that the victim alone gets to from them.
    fn closure(&mut self, stands: impl IntoIterator<Item = usize>) -> FxHashSet<usize> {
        let mut reached = FxHashSet::default();
        for stand in stands {
            let mut at = Some(stand);
            while let Some(code) = at {
                if !reached.insert(code) {
                    break;
                }
                at = self.after(code, None);
            }
        }
        reached
    }

    fn extend(
        &mut self,
        script: &mut Vec<Action>,
        reached: &FxHashSet<usize>,
        length: usize,
        found: &mut Vec<Vec<Action>>,
    ) {
        found.push(script.clone());
        if script.len() == length {
            return;
        }
        for &action in self.layout.repertoire() {
            let after: Vec<usize> =
                reached.iter().filter_map(|code| self.after(*code, Some(action))).collect();
            if after.is_empty() {
                continue;
            }
            let reached = self.closure(after);
            script.push(action);
            self.extend(script, &reached, length, found);
            script.pop();
        }
    }
}
