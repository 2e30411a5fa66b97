//! At home while there is room, then the nearest site that has room; at home
//! again where none has, since waiting near is better than waiting far.

/// The first of the sites as `near` as listed that has room, or the first.
pub fn choose(near: &[usize], has_room: impl Fn(usize) -> bool) -> usize {
    near.iter().copied().find(|&site| has_room(site)).unwrap_or(near[0])
}
