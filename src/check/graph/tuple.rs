//! Second floor, `check::graph`: a system state as a tuple of codes, kept exactly.
//! Imports nothing.

use std::hash::Hash;

/// A world's code and the code of each actor's local state.
///
/// Four sizes: [`Small`] (12 actors, 16 local states, 65,536 worlds), [`Wide`] (13 actors, 256 local
/// states, 16 million worlds), [`Few`] (5 actors, 65,536 local states: a system that begins in many
/// ways), a boxed slice for whatever does not fit. All hold the codes themselves, never a
/// fingerprint: two states are equal only if they are.
pub(super) trait Tuple: Clone + Eq + Hash + Send + Sync {
    /// `None` where a code is too large for this size.
    fn pack(world: u32, locals: &[u32]) -> Option<Self>;

    /// Writes the local states' codes to `locals` and returns the world's.
    fn unpack(&self, locals: &mut [u32]) -> u32;

    /// This state with another world and one other local state.
    fn with(&self, world: u32, actor: usize, local: u32) -> Option<Self>;
}

/// An integer of `LOCALS` local states of `EACH` bits each, the world above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Packed<I, const LOCALS: usize, const EACH: usize>(I);

pub(super) type Small = Packed<u64, 12, 4>;
pub(super) type Wide = Packed<u128, 13, 8>;
pub(super) type Few = Packed<u128, 5, 16>;

macro_rules! packed {
    ($integer:ty) => {
        impl<const LOCALS: usize, const EACH: usize> Packed<$integer, LOCALS, EACH> {
            const SHIFT: usize = LOCALS * EACH;
            const MASK: $integer = (1 << EACH) - 1;
        }

        impl<const LOCALS: usize, const EACH: usize> Tuple for Packed<$integer, LOCALS, EACH> {
            fn pack(world: u32, locals: &[u32]) -> Option<Self> {
                if locals.len() > LOCALS
                    || <$integer>::from(world) >> (<$integer>::BITS as usize - Self::SHIFT) != 0
                {
                    return None;
                }
                let mut packed = <$integer>::from(world) << Self::SHIFT;
                for (actor, local) in locals.iter().enumerate() {
                    if local >> EACH != 0 {
                        return None;
                    }
                    packed |= <$integer>::from(*local) << (actor * EACH);
                }
                Some(Packed(packed))
            }

            fn unpack(&self, locals: &mut [u32]) -> u32 {
                for (actor, local) in locals.iter_mut().enumerate() {
                    *local = (self.0 >> (actor * EACH) & Self::MASK) as u32;
                }
                (self.0 >> Self::SHIFT) as u32
            }

            fn with(&self, world: u32, actor: usize, local: u32) -> Option<Self> {
                let world = <$integer>::from(world);
                if world >> (<$integer>::BITS as usize - Self::SHIFT) != 0 || local >> EACH != 0 {
                    return None;
                }
                let others = self.0 & !(Self::MASK << (actor * EACH)) & ((1 << Self::SHIFT) - 1);
                let local = <$integer>::from(local) << (actor * EACH);
                Some(Packed(others | local | world << Self::SHIFT))
            }
        }
    };
}

packed!(u64);
packed!(u128);

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
        let small = Wide::pack(70_000, &locals).unwrap();
        let wide = <Box<[u32]>>::pack(70_000, &locals).unwrap();
        let (mut from_small, mut from_wide) = ([0; 5], [0; 5]);
        assert_eq!(small.unpack(&mut from_small), 70_000);
        assert_eq!(wide.unpack(&mut from_wide), 70_000);
        assert_eq!((from_small, from_wide), (locals, locals));
        assert_eq!(
            small.with(1, 2, 4),
            Wide::pack(1, &[3, 0, 4, 17, 9]),
            "the old world and local state leave no bit behind"
        );
        assert_eq!(wide.with(1, 2, 4), <Box<[u32]>>::pack(1, &[3, 0, 4, 17, 9]));
    }

    #[test]
    fn the_smallest_size_holds_the_same_state() {
        let locals = [3, 0, 15, 7, 9, 1, 2, 4, 5, 6, 8, 15];
        let small = Small::pack(65_535, &locals).unwrap();
        let mut unpacked = [0; 12];
        assert_eq!(small.unpack(&mut unpacked), 65_535);
        assert_eq!(unpacked, locals);
        let mut next = locals;
        next[11] = 2;
        assert_eq!(small.with(1, 11, 2), Small::pack(1, &next));
        assert_eq!(Small::pack(65_536, &[0]), None);
        assert_eq!(Small::pack(0, &[16]), None);
        assert_eq!(Small::pack(0, &[0; 13]), None);
        assert_eq!(small.with(65_536, 0, 0), None);
        assert_eq!(small.with(0, 0, 16), None);
    }

    #[test]
    fn few_actors_have_room_for_many_local_states() {
        let locals = [65_535, 0, 256, 17, 40_000];
        let few = Few::pack(u32::MAX, &locals).unwrap();
        let mut unpacked = [0; 5];
        assert_eq!(few.unpack(&mut unpacked), u32::MAX);
        assert_eq!(unpacked, locals);
        assert_eq!(few.with(3, 2, 1), Few::pack(3, &[65_535, 0, 1, 17, 40_000]));
        assert_eq!(Few::pack(0, &[65_536]), None);
        assert_eq!(Few::pack(0, &[0; 6]), None);
        assert_eq!(few.with(0, 0, 65_536), None);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_cut_short() {
        assert_eq!(Wide::pack(0, &[256]), None);
        assert_eq!(Wide::pack(1 << 24, &[0]), None);
        assert_eq!(Wide::pack(0, &[0; 14]), None);
        let small = Wide::pack(0, &[0; 13]).unwrap();
        assert_eq!(small.with(0, 12, 256), None);
        assert_eq!(small.with(1 << 24, 0, 0), None);
    }
}
