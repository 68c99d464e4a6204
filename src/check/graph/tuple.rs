//! Second floor, `check::graph`: a system state as a tuple of codes, kept exactly.
//! Imports nothing.

use std::hash::Hash;

/// A world's code and the code of each actor's local state.
///
/// Three sizes: a `u64` (12 actors, 16 local states, 65,536 worlds), a `u128` (13 actors, 256 local
/// states, 16 million worlds), a boxed slice for whatever does not fit. All hold the codes
/// themselves, never a fingerprint: two states are equal only if they are.
pub(super) trait Tuple: Clone + Eq + Hash + Send + Sync {
    /// `None` where a code is too large for this size.
    fn pack(world: u32, locals: &[u32]) -> Option<Self>;

    /// Writes the local states' codes to `locals` and returns the world's.
    fn unpack(&self, locals: &mut [u32]) -> u32;

    /// This state with another world and one other local state.
    fn with(&self, world: u32, actor: usize, local: u32) -> Option<Self>;
}

/// An integer of `$locals` local states of `$each` bits each, the world above them.
macro_rules! packed {
    ($integer:ty, $locals:expr, $each:expr) => {
        impl Tuple for $integer {
            fn pack(world: u32, locals: &[u32]) -> Option<Self> {
                const SHIFT: usize = $locals * $each;
                if locals.len() > $locals
                    || <$integer>::from(world) >> (<$integer>::BITS as usize - SHIFT) != 0
                {
                    return None;
                }
                let mut packed = <$integer>::from(world) << SHIFT;
                for (actor, local) in locals.iter().enumerate() {
                    if local >> $each != 0 {
                        return None;
                    }
                    packed |= <$integer>::from(*local) << (actor * $each);
                }
                Some(packed)
            }

            fn unpack(&self, locals: &mut [u32]) -> u32 {
                for (actor, local) in locals.iter_mut().enumerate() {
                    *local = (self >> (actor * $each)) as u32 & ((1 << $each) - 1);
                }
                (self >> ($locals * $each)) as u32
            }

            fn with(&self, world: u32, actor: usize, local: u32) -> Option<Self> {
                const SHIFT: usize = $locals * $each;
                let world = <$integer>::from(world);
                if world >> (<$integer>::BITS as usize - SHIFT) != 0 || local >> $each != 0 {
                    return None;
                }
                let mask: $integer = (1 << $each) - 1;
                let others = self & !(mask << (actor * $each)) & ((1 << SHIFT) - 1);
                Some(others | <$integer>::from(local) << (actor * $each) | world << SHIFT)
            }
        }
    };
}

packed!(u64, 12, 4);
packed!(u128, 13, 8);

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
    fn the_smallest_size_holds_the_same_state() {
        let locals = [3, 0, 15, 7, 9, 1, 2, 4, 5, 6, 8, 15];
        let small = u64::pack(65_535, &locals).unwrap();
        let mut unpacked = [0; 12];
        assert_eq!(small.unpack(&mut unpacked), 65_535);
        assert_eq!(unpacked, locals);
        let mut next = locals;
        next[11] = 2;
        assert_eq!(small.with(1, 11, 2), u64::pack(1, &next));
        assert_eq!(u64::pack(65_536, &[0]), None);
        assert_eq!(u64::pack(0, &[16]), None);
        assert_eq!(u64::pack(0, &[0; 13]), None);
        assert_eq!(small.with(65_536, 0, 0), None);
        assert_eq!(small.with(0, 0, 16), None);
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
