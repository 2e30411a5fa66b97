//! The prefix cache by its definition: one block at a time.

use super::{Eviction, Hit, Hold, Published};
use crate::factory::PromptTime;
use crate::kernel::{Span, Time};
use crate::workload::{Strand, Stretch};
use std::collections::{BTreeMap, VecDeque};

/// Names a block: its strand and its position.
type Key = (Strand, u32);

#[derive(Clone, Debug)]
struct Block {
    users: u32,
    /// The block before it, and how many resident blocks are behind it.
    parent: Option<Key>,
    children: u32,
    /// When it fell idle last, as a count of such moments and as an instant.
    idle_since: u64,
    idle_at: Time,
    /// Agent-hold: the last instant at which it is held.
    until: Time,
    /// Sequences that have used it.
    uses: u64,
    /// Cost-aware: the clock when it fell idle last.
    clock: u64,
    /// S3-FIFO: whether it is in the main queue, its place, and its count of uses.
    is_main: bool,
    place: Option<u64>,
    count: u64,
}

/// Blocks by strand and position.
#[derive(Clone, Debug)]
pub struct ReferenceStore {
    eviction: Eviction,
    block_tokens: u32,
    prompt_time: PromptTime,
    /// What a block of full attention, and of windowed layers, takes of the memory.
    full: u32,
    windowed: u32,
    blocks: BTreeMap<Key, Block>,
    /// Blocks without users, and their memory.
    idle: u32,
    idle_memory: u32,
    memory: u32,
    /// Blocks of windows without a name so far.
    nameless: u32,
    now: Time,
    moments: u64,
    /// What the sequence that ends says of its blocks.
    said: Hold,
    /// S3-FIFO: places given so far.
    places: u64,
    clock: u64,
    ghost: VecDeque<Key>,
    /// S3-FIFO: the block that goes next if it is still like this.
    going: Option<(Key, Block)>,
}

impl ReferenceStore {
    pub fn new(eviction: Eviction, block_tokens: u32, prompt_time: PromptTime) -> Self {
        ReferenceStore {
            eviction,
            block_tokens,
            prompt_time,
            full: 1,
            windowed: 0,
            blocks: BTreeMap::new(),
            idle: 0,
            idle_memory: 0,
            memory: 0,
            nameless: 0,
            now: Time::ZERO,
            moments: 0,
            said: Hold::Silent,
            places: 0,
            clock: 0,
            ghost: VecDeque::new(),
            going: None,
        }
    }

    pub fn with_groups(self, full: u32, windowed: u32) -> Self {
        ReferenceStore { full, windowed, ..self }
    }

    fn weight(&self, (strand, _): Key) -> u32 {
        if strand.is_windowed() { self.windowed } else { self.full }
    }

    /// Block `index` of a sequence in windowed layers.
    fn window_key(&self, content: &[Stretch], index: u32) -> Key {
        let (strand, index) = self.key(content, index);
        (strand.windowed(), index)
    }

    /// The last place, at most `places`, that is here with a window before it.
    pub fn reached(&self, content: &[Stretch], places: u32, reach: u32) -> u32 {
        let is_here = |index| self.blocks.contains_key(&self.window_key(content, index));
        let is_served = |place: &u32| (place.saturating_sub(reach)..*place).all(is_here);
        (0..=places).rev().find(is_served).unwrap()
    }

    pub fn idle_windows(&self, content: &[Stretch], from: u32, to: u32) -> u32 {
        let keys = (from..to).map(|index| self.window_key(content, index));
        self.windowed * keys.filter(|key| self.blocks[key].users == 0).count() as u32
    }

    /// One more sequence uses a block of windowed layers; it comes if it is not here.
    pub fn share_window(&mut self, content: &[Stretch], index: u32) {
        let key = self.window_key(content, index);
        match self.blocks.contains_key(&key) {
            true => self.join(key),
            false => self.add(key, None),
        }
    }

    pub fn release_window(&mut self, content: &[Stretch], index: u32) {
        let key = self.window_key(content, index);
        self.let_go(key, index);
    }

    /// A block of windowed layers falls idle that nobody can ask for.
    pub fn retire_window(&mut self) {
        self.nameless += 1;
        let key = (Strand::NONE.windowed(), self.nameless);
        self.add(key, None);
        self.let_go(key, self.nameless);
    }

    /// Block `index` of a sequence belongs to the strand of its last token.
    fn key(&self, content: &[Stretch], index: u32) -> Key {
        let end = (index + 1) * self.block_tokens;
        let stretch = content.iter().find(|stretch| stretch.until >= end).unwrap();
        (stretch.strand, index)
    }

    /// First block and end of what is resident of each strand.
    pub fn strands(&self) -> BTreeMap<Strand, (u32, u32)> {
        let mut strands = BTreeMap::new();
        for &(strand, index) in self.blocks.keys().filter(|key| !key.0.is_windowed()) {
            let (_, end) = strands.entry(strand).or_insert((index, index));
            assert_eq!(*end, index, "a hole in {strand:?}");
            *end = index + 1;
        }
        strands
    }

    pub fn resident(&self) -> u32 {
        self.memory
    }

    pub fn idle(&self) -> u32 {
        self.idle_memory
    }

    fn idle_blocks(&self) -> impl Iterator<Item = (&Key, &Block)> {
        self.blocks.iter().filter(|(_, block)| block.users == 0)
    }

    pub fn lookup(&self, content: &[Stretch], blocks: u32) -> Hit {
        let mut hit = Hit::default();
        while hit.blocks < blocks {
            let Some(block) = self.blocks.get(&self.key(content, hit.blocks)) else { break };
            hit.blocks += 1;
            hit.idle += self.full * u32::from(block.users == 0);
        }
        hit
    }

    pub fn acquire(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        let before = self.idle();
        for index in 0..blocks {
            let key = self.key(content, index);
            self.join(key);
        }
        before - self.idle()
    }

    pub fn publish(&mut self, content: &[Stretch], from: u32, to: u32) -> Published {
        let (resident, idle) = (self.resident(), self.idle());
        for index in from..to {
            let key = self.key(content, index);
            match self.blocks.contains_key(&key) {
                true => self.join(key),
                false => self.add(key, (index > 0).then(|| self.key(content, index - 1))),
            }
        }
        let duplicates = self.full * (to - from) - (self.resident() - resident);
        Published { duplicates, woken: idle - self.idle() }
    }

    /// One more sequence uses a block.
    fn join(&mut self, key: Key) {
        let weight = self.weight(key);
        let block = self.blocks.get_mut(&key).unwrap();
        self.idle -= u32::from(block.users == 0);
        self.idle_memory -= weight * u32::from(block.users == 0);
        block.users += 1;
        block.uses += 1;
        block.count = 3.min(block.count + 1);
    }

    fn add(&mut self, key: Key, parent: Option<Key>) {
        if let Some(parent) = parent {
            self.blocks.get_mut(&parent).unwrap().children += 1;
        }
        self.memory += self.weight(key);
        let block = Block {
            users: 1,
            parent,
            children: 0,
            idle_since: 0,
            idle_at: Time::ZERO,
            until: Time::ZERO,
            uses: 1,
            clock: 0,
            is_main: false,
            place: None,
            count: 0,
        };
        self.blocks.insert(key, block);
    }

    pub fn leave(&mut self, content: &[Stretch], blocks: u32, said: Hold) -> u32 {
        self.said = said;
        let fallen_idle = self.release(content, blocks);
        self.said = Hold::Silent;
        fallen_idle
    }

    /// Blocks from where it is its agent's own on get the deadline, or none, and
    /// those before it the deadline if theirs comes earlier.
    fn held_until(&self, index: u32, before: Time) -> Time {
        let Eviction::AgentHold { hold } = self.eviction else { return before };
        match self.said {
            Hold::On { from } if index >= from => self.now + hold,
            Hold::Over { from } if index >= from => Time::ZERO,
            Hold::On { .. } => before.max(self.now + hold),
            Hold::Over { .. } | Hold::Silent => before,
        }
    }

    pub fn release(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        let before = self.idle();
        for index in (0..blocks).rev() {
            self.let_go(self.key(content, index), index);
        }
        self.idle() - before
    }

    /// One sequence fewer uses a block.
    fn let_go(&mut self, key: Key, index: u32) {
        self.moments += 1;
        let until = self.held_until(index, self.blocks[&key].until);
        let weight = self.weight(key);
        let block = self.blocks.get_mut(&key).unwrap();
        block.users -= 1;
        if block.users == 0 {
            self.idle += 1;
            self.idle_memory += weight;
            (block.idle_since, block.idle_at) = (self.moments, self.now);
            block.clock = self.clock;
            block.until = until;
            if block.place.is_none() {
                self.places += 1;
                block.place = Some(self.places);
                let known = self.ghost.iter().position(|known| *known == key);
                block.is_main = known.and_then(|at| self.ghost.remove(at)).is_some();
            }
        }
    }

    /// Takes away what nobody has used for too long by `now`.
    pub fn expire(&mut self, now: Time) {
        self.now = now;
        let Eviction::Ttl { ttl } = self.eviction else { return };
        let is_old = |block: &Block| block.users == 0 && block.idle_at + ttl < now;
        while let Some((&key, _)) = self.blocks.iter().rev().find(|(_, b)| is_old(b)) {
            self.remove(key);
        }
    }

    /// Evicts blocks one by one until they make up so much memory, and tells which.
    pub fn evict(&mut self, memory: u32) -> Vec<Key> {
        let (mut gone, mut evicted) = (Vec::new(), 0);
        while evicted < memory {
            let key = self.evict_one();
            evicted += self.weight(key);
            gone.push(key);
        }
        gone
    }

    fn evict_one(&mut self) -> Key {
        let key = match self.eviction {
            Eviction::Lru | Eviction::Ttl { .. } => self.least(|block| block.idle_since),
            Eviction::Lfu => self.least(|block| (block.uses, block.idle_since)),
            Eviction::AgentHold { .. } => {
                let ends = self.idle_blocks().filter(|(_, block)| block.children == 0);
                let deadline = |block: &Block| match block.until {
                    Time::ZERO => None,
                    until => (until >= self.now).then_some(until),
                };
                let rank = |block: &Block| (deadline(block), block.idle_since);
                *ends.min_by_key(|(_, block)| rank(block)).unwrap().0
            }
            Eviction::CostAware => {
                let idle = self.idle_blocks().filter(|(_, block)| block.children == 0);
                let rank =
                    |(key, block): (&Key, &Block)| (self.worth(key, block), block.idle_since, *key);
                let (worth, _, key) = idle.map(rank).min().unwrap();
                self.clock = self.clock.max(worth);
                key
            }
            Eviction::S3Fifo => self.s3_fifo(),
        };
        let block = self.remove(key);
        assert_eq!((block.users, block.children), (0, 0), "an idle end of a sequence");
        if self.eviction == Eviction::S3Fifo {
            let alike = |other: &Block| {
                (other.is_main, other.count, other.place)
                    == (block.is_main, block.count, block.place.map(|place| place + 1))
            };
            let before = block.parent.map(|key| (key, self.blocks[&key].clone()));
            self.going = before.filter(|(_, before)| before.is_end() && alike(before));
            if !block.is_main {
                self.ghost.push_back(key);
            }
            while self.ghost.len() > self.idle as usize * 9 / 10 {
                self.ghost.pop_front();
            }
        }
        key
    }

    /// The idle block that is least by `rank`.
    fn least<R: Ord>(&self, rank: impl Fn(&Block) -> R) -> Key {
        *self.idle_blocks().min_by_key(|(_, block)| rank(block)).unwrap().0
    }

    fn worth(&self, &(_, index): &Key, block: &Block) -> u64 {
        let tokens = self.block_tokens;
        let seconds = self.prompt_time.seconds(index * tokens, (index + 1) * tokens);
        block.clock + block.uses * Span::from_seconds(seconds).ticks()
    }

    /// The block that S3-FIFO evicts next, once it has moved what deserves it.
    fn s3_fifo(&mut self) -> Key {
        if let Some((key, before)) = self.going.take()
            && let Some(block) = self.blocks.get(&key)
            && block.is_end()
            && (block.place, block.count) == (before.place, before.count)
        {
            return key;
        }
        loop {
            let small_blocks = self.idle_blocks().filter(|(_, block)| !block.is_main).count();
            let front = self.first(|block| !block.is_main);
            if let Some((key, block)) = &front
                && (block.count > 1 || block.children > 0)
            {
                self.move_to_back(*key, 0);
                continue;
            }
            let is_next = |block: &Block| block.is_main && (block.count > 0 || block.children == 0);
            match (front, self.first(is_next)) {
                (Some((key, _)), None) => return key,
                (Some((key, _)), _) if 10 * small_blocks >= self.idle as usize => return key,
                (_, Some((key, block))) if block.count > 0 => {
                    self.move_to_back(key, block.count - 1);
                }
                (_, Some((key, _))) => return key,
                (None, None) => panic!("nothing to evict"),
            }
        }
    }

    /// The idle block with the first place among those that are `wanted`.
    fn first(&self, wanted: impl Fn(&Block) -> bool) -> Option<(Key, Block)> {
        let wanted = self.idle_blocks().filter(|(_, block)| wanted(block));
        wanted.min_by_key(|(_, block)| block.place).map(|(key, block)| (*key, block.clone()))
    }

    fn move_to_back(&mut self, key: Key, count: u64) {
        self.places += 1;
        let block = self.blocks.get_mut(&key).unwrap();
        (block.is_main, block.place, block.count) = (true, Some(self.places), count);
    }

    fn remove(&mut self, key: Key) -> Block {
        let block = self.blocks.remove(&key).unwrap();
        self.idle -= 1;
        self.idle_memory -= self.weight(key);
        self.memory -= self.weight(key);
        if let Some(parent) = block.parent.and_then(|parent| self.blocks.get_mut(&parent)) {
            parent.children -= 1;
        }
        block
    }
}

impl Block {
    /// Nobody uses it and nothing continues it.
    fn is_end(&self) -> bool {
        self.users == 0 && self.children == 0
    }
}
