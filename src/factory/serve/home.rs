//! At home: the pool of the users' own region, or the nearest where it has none.

/// The nearest of the sites that are as `near` as listed.
pub fn choose(near: &[usize]) -> usize {
    near[0]
}
