//! Relations between the events of one execution, a row of bits each.

/// Which event stands before which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation(Vec<u64>);

impl Relation {
    pub(super) fn new(events: usize) -> Self {
        assert!(events <= 64, "a litmus test is small");
        Relation(vec![0; events])
    }

    pub(super) fn add(&mut self, one: usize, other: usize) {
        self.0[one] |= 1 << other;
    }

    pub(super) fn has(&self, one: usize, other: usize) -> bool {
        self.0[one] & 1 << other != 0
    }

    /// Whether some pair begins and ends so.
    pub(super) fn any(&self, starts: impl Fn(usize) -> bool, ends: impl Fn(usize) -> bool) -> bool {
        let all = 0..self.0.len();
        all.clone()
            .filter(|one| starts(*one))
            .any(|one| all.clone().any(|other| self.has(one, other) && ends(other)))
    }

    pub(super) fn union(&self, with: &Relation) -> Relation {
        Relation(self.0.iter().zip(&with.0).map(|(one, other)| one | other).collect())
    }

    /// What stands before something that stands, there, before it.
    pub(super) fn then(&self, there: &Relation) -> Relation {
        let row = |row: &u64| {
            let between = (0..self.0.len()).filter(|at| row & 1 << at != 0);
            between.fold(0, |row, at| row | there.0[at])
        };
        Relation(self.0.iter().map(row).collect())
    }

    /// With all that follows.
    pub(super) fn closed(mut self) -> Relation {
        for between in 0..self.0.len() {
            let after = self.0[between];
            for row in &mut self.0 {
                if *row & 1 << between != 0 {
                    *row |= after;
                }
            }
        }
        self
    }

    /// Whether, closed, it has something before itself.
    pub(super) fn has_cycle(&self) -> bool {
        (0..self.0.len()).any(|at| self.has(at, at))
    }
}
