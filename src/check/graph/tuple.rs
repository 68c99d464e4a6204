//! Second floor, `check::graph`: a system state as a tuple of codes, kept exactly.
//! Imports nothing.

use std::hash::Hash;

/// A world's code and the code of each actor's local state.
///
/// Two sizes: a `u128` for the many small systems, a boxed slice for whatever does not fit. Both
/// hold the codes themselves, never a fingerprint: two states are equal only if they are.
pub(super) trait Tuple: Clone + Eq + Hash + Send + Sync {
    /// `None` where a code is too large for this size.
    fn pack(world: u32, locals: &[u32]) -> Option<Self>;

    /// Writes the local states' codes to `locals` and returns the world's.
    fn unpack(&self, locals: &mut [u32]) -> u32;

    /// This state with another world and one other local state.
    fn with(&self, world: u32, actor: usize, local: u32) -> Option<Self>;
}

const LOCAL_BITS: usize = 8;
const MAX_LOCALS: usize = 13;
const WORLD_SHIFT: usize = MAX_LOCALS * LOCAL_BITS;
const WORLD_BITS: usize = u128::BITS as usize - WORLD_SHIFT;

impl Tuple for u128 {
    fn pack(world: u32, locals: &[u32]) -> Option<u128> {
        if locals.len() > MAX_LOCALS || world >> WORLD_BITS != 0 {
            return None;
        }
        let mut packed = u128::from(world) << WORLD_SHIFT;
        for (actor, local) in locals.iter().enumerate() {
            if local >> LOCAL_BITS != 0 {
                return None;
            }
            packed |= u128::from(*local) << (actor * LOCAL_BITS);
        }
        Some(packed)
    }

    fn unpack(&self, locals: &mut [u32]) -> u32 {
        for (actor, local) in locals.iter_mut().enumerate() {
            *local = u32::from((self >> (actor * LOCAL_BITS)) as u8);
        }
        (self >> WORLD_SHIFT) as u32
    }

    fn with(&self, world: u32, actor: usize, local: u32) -> Option<u128> {
        if world >> WORLD_BITS != 0 || local >> LOCAL_BITS != 0 {
            return None;
        }
        let shift = actor * LOCAL_BITS;
        let others = self & !(0xff << shift) & ((1 << WORLD_SHIFT) - 1);
        Some(others | u128::from(local) << shift | u128::from(world) << WORLD_SHIFT)
    }
}

impl Tuple for Box<[u32]> {
    fn pack(world: u32, locals: &[u32]) -> Option<Self> {
        Some(std::iter::once(world).chain(locals.iter().copied()).collect())
    }

    fn unpack(&self, locals: &mut [u32]) -> u32 {
        locals.copy_from_slice(&self[1..]);
        self[0]
    }

    fn with(&self, world: u32, actor: usize, local: u32) -> Option<Self> {
        let mut next = self.clone();
        next[0] = world;
        next[1 + actor] = local;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sizes_hold_the_same_state() {
        let locals = [3, 0, 255, 17, 9];
        let small = u128::pack(70_000, &locals).unwrap();
        let wide = <Box<[u32]>>::pack(70_000, &locals).unwrap();
        let (mut from_small, mut from_wide) = ([0; 5], [0; 5]);
        assert_eq!(small.unpack(&mut from_small), 70_000);
        assert_eq!(wide.unpack(&mut from_wide), 70_000);
        assert_eq!((from_small, from_wide), (locals, locals));
        assert_eq!(
            small.with(1, 2, 4),
            u128::pack(1, &[3, 0, 4, 17, 9]),
            "the old world and local state leave no bit behind"
        );
        assert_eq!(wide.with(1, 2, 4), <Box<[u32]>>::pack(1, &[3, 0, 4, 17, 9]));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_cut_short() {
        assert_eq!(u128::pack(0, &[256]), None);
        assert_eq!(u128::pack(1 << 24, &[0]), None);
        assert_eq!(u128::pack(0, &[0; 14]), None);
        let small = u128::pack(0, &[0; 13]).unwrap();
        assert_eq!(small.with(0, 12, 256), None);
        assert_eq!(small.with(1 << 24, 0, 0), None);
    }
}
