//! A slab of short-lived entities addressed by typed, generation-checked ids.
//!
//! Ids are 8 bytes and stay valid until their entity is removed; a stale id
//! panics instead of reading a stranger. Freed places are reused last in,
//! first out, so the memory of a run follows the largest number of entities
//! alive at once, not the number that ever lived.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// Names one entity of an [`Arena<T>`].
pub struct Id<T> {
    index: u32,
    generation: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Place in the arena; unique among the entities alive.
    pub fn index(self) -> u32 {
        self.index
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.generation == other.generation
    }
}
impl<T> Eq for Id<T> {}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

#[derive(Clone, Debug)]
struct Place<T> {
    generation: u32,
    entity: Option<T>,
}

/// Slab of entities; see the module text.
#[derive(Clone, Debug)]
pub struct Arena<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Arena { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    /// Number of entities alive.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether nothing is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entity.
    #[inline]
    pub fn insert(&mut self, entity: T) -> Id<T> {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.entity = Some(entity);
            Id { index, generation: place.generation, kind: PhantomData }
        } else {
            let index = u32::try_from(self.places.len()).expect("at most 2^32 entities alive");
            self.places.push(Place { generation: 0, entity: Some(entity) });
            Id { index, generation: 0, kind: PhantomData }
        }
    }

    /// Removes an entity and returns it. Panics on a stale id.
    #[inline]
    pub fn remove(&mut self, id: Id<T>) -> T {
        let place = &mut self.places[id.index as usize];
        assert_eq!(place.generation, id.generation, "stale id");
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.index);
        place.entity.take().expect("a current id names an entity")
    }

    /// Whether the entity of this id is alive.
    #[inline]
    pub fn contains(&self, id: Id<T>) -> bool {
        let place = self.places.get(id.index as usize);
        place.is_some_and(|place| place.generation == id.generation && place.entity.is_some())
    }

    /// The entities alive, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| place.entity.as_ref())
    }

    /// Names of the entities alive, in the order of their places.
    pub fn ids(&self) -> impl Iterator<Item = Id<T>> {
        self.places.iter().enumerate().filter(|(_, place)| place.entity.is_some()).map(
            |(index, place)| Id {
                index: index as u32,
                generation: place.generation,
                kind: PhantomData,
            },
        )
    }
}

impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;
    #[inline]
    fn index(&self, id: Id<T>) -> &T {
        let place = &self.places[id.index as usize];
        assert_eq!(place.generation, id.generation, "stale id");
        place.entity.as_ref().expect("a current id names an entity")
    }
}

impl<T> IndexMut<Id<T>> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        let place = &mut self.places[id.index as usize];
        assert_eq!(place.generation, id.generation, "stale id");
        place.entity.as_mut().expect("a current id names an entity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_reused_and_stale_ids_are_caught() {
        let mut arena = Arena::default();
        let a = arena.insert("a");
        assert!(arena.ids().eq([a]));
        assert_eq!(arena.remove(a), "a");
        let b = arena.insert("b");
        assert_eq!((a.index(), arena.len()), (b.index(), 1));
        assert_ne!(a, b);
        assert!(std::panic::catch_unwind(|| arena[a]).is_err());
    }
}
