//! Second floor, `check::graph`: interleavings are the paths of the state graph from its roots to
//! its ends, and can be counted without walking them. Imports nothing.

use num_bigint::BigUint;

/// The state graph as weighted edges. With symmetry an edge stands for as many steps as there are
/// identical processes that could take it, which is its weight.
pub(super) struct Edges {
    /// `targets[offsets[s]..offsets[s + 1]]` leave state `s`.
    pub(super) offsets: Vec<usize>,
    pub(super) targets: Vec<(u32, u32)>,
}

impl Edges {
    fn from(&self, state: u32) -> &[(u32, u32)] {
        let state = state as usize;
        &self.targets[self.offsets[state]..self.offsets[state + 1]]
    }

    /// The states reachable from `roots`, each after all that follow it; `None` if there is a cycle.
    pub(super) fn ends_first(&self, roots: &[u32]) -> Option<Vec<u32>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Finished,
        }
        let mut marks = vec![Mark::New; self.offsets.len() - 1];
        let mut order = Vec::with_capacity(marks.len());
        let mut path = Vec::new();
        for root in roots {
            if marks[*root as usize] != Mark::New {
                continue;
            }
            marks[*root as usize] = Mark::OnPath;
            path.push((*root, 0));
            while let Some((state, position)) = path.last_mut() {
                match self.from(*state).get(*position) {
                    Some((target, _)) => {
                        *position += 1;
                        match marks[*target as usize] {
                            Mark::New => {
                                marks[*target as usize] = Mark::OnPath;
                                path.push((*target, 0));
                            }
                            Mark::OnPath => return None,
                            Mark::Finished => {}
                        }
                    }
                    None => {
                        marks[*state as usize] = Mark::Finished;
                        order.push(*state);
                        path.pop();
                    }
                }
            }
        }
        Some(order)
    }

    /// How many maximal paths lead from each of these states, which may be there more than once, through
    /// states that all are `allowed`.
    pub(super) fn counts_from(
        &self,
        order: &[u32],
        states: &[u32],
        allowed: impl Fn(u32) -> bool,
    ) -> Vec<BigUint> {
        let small = self.count_with(order, states, &allowed, 1u128, |sum, paths, weight| {
            sum.checked_add(paths.checked_mul(u128::from(weight))?)
        });
        if let Some(small) = small {
            return small.into_iter().map(BigUint::from).collect();
        }
        let large = |sum, paths: &BigUint, weight| Some(sum + paths * weight);
        let large = self.count_with(order, states, &allowed, BigUint::from(1u32), large);
        large.expect("a sum of any size has room")
    }

    /// How many paths lead from `roots` to each state, in the order of states; from a root that is there
    /// twice, twice as many.
    pub(super) fn counts_to(&self, order: &[u32], roots: &[u32]) -> Vec<BigUint> {
        let mut paths = vec![BigUint::default(); self.offsets.len() - 1];
        for root in roots {
            paths[*root as usize] += 1u32;
        }
        for state in order.iter().rev() {
            // Most states of a large graph are behind this one or beside it: their counts are theirs alone.
            let here = paths[*state as usize].clone();
            for (target, weight) in self.from(*state) {
                paths[*target as usize] += &here * *weight;
            }
        }
        paths
    }

    fn count_with<N: Clone + Default>(
        &self,
        order: &[u32],
        states: &[u32],
        allowed: &impl Fn(u32) -> bool,
        one: N,
        add: impl Fn(N, &N, u32) -> Option<N>,
    ) -> Option<Vec<N>> {
        let mut paths = vec![N::default(); self.offsets.len() - 1];
        for state in order.iter().copied().filter(|state| allowed(*state)) {
            let next = self.from(state);
            paths[state as usize] = if next.is_empty() {
                one.clone()
            } else {
                next.iter().try_fold(N::default(), |sum, (target, weight)| {
                    add(sum, &paths[*target as usize], *weight)
                })?
            };
        }
        Some(states.iter().map(|state| paths[*state as usize].clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of `length` states, each with one edge of weight `weight` to the next.
    fn chain(length: usize, weight: u32) -> Edges {
        Edges {
            offsets: (0..=length).map(|state| state.min(length - 1)).collect(),
            targets: (1..length as u32).map(|target| (target, weight)).collect(),
        }
    }

    /// How many from all roots together.
    fn count(
        edges: &Edges,
        order: &[u32],
        roots: &[u32],
        allowed: impl Fn(u32) -> bool,
    ) -> BigUint {
        edges.counts_from(order, roots, allowed).into_iter().sum()
    }

    #[test]
    fn weights_multiply_along_a_path_beyond_any_fixed_width() {
        let edges = chain(101, 1000);
        let order = edges.ends_first(&[0]).unwrap();
        let thousand_to_the_hundredth = BigUint::from(10u32).pow(300);
        assert_eq!(count(&edges, &order, &[0], |_| true), thousand_to_the_hundredth);
        assert_eq!(count(&edges, &order, &[0], |state| state != 50), BigUint::default());
    }

    #[test]
    fn each_root_counts_its_own_paths_even_where_roots_are_the_same_state() {
        // Of 0 → 1 → 2, each with an edge of weight 3.
        let edges = chain(3, 3);
        let roots = [1, 0, 1, 2];
        let order = edges.ends_first(&roots).unwrap();
        assert_eq!(order, [2, 1, 0]);
        assert_eq!(count(&edges, &order, &roots, |_| true), BigUint::from(3u32 + 9 + 3 + 1));
        let without_0 = count(&edges, &order, &roots, |state| state != 0);
        assert_eq!(without_0, BigUint::from(3u32 + 3 + 1));
    }

    #[test]
    fn what_leads_to_ends_is_all_there_is() {
        // 0 → 1 twice, 0 → 2 three times, 1 → 3, 2 → 3 twice and 2 → 4.
        let targets = vec![(1, 2), (2, 3), (3, 1), (3, 2), (4, 1)];
        let edges = Edges { offsets: vec![0, 2, 3, 5, 5, 5], targets };
        let order = edges.ends_first(&[0]).unwrap();
        let counts = edges.counts_to(&order, &[0]);
        assert_eq!(counts, [1u32, 2, 3, 2 + 6, 3].map(BigUint::from));
        assert_eq!(&counts[3] + &counts[4], count(&edges, &order, &[0], |_| true));
    }

    #[test]
    fn a_cycle_has_no_count() {
        let edges = Edges { offsets: vec![0, 1, 2], targets: vec![(1, 1), (0, 1)] };
        assert_eq!(edges.ends_first(&[0]), None);
    }
}
