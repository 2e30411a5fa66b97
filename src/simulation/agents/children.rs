//! Sub-agents: started, joined, called off.

use super::agents;
use crate::catalog::ChildOrder;
use crate::factory::{Engine, Why};
use crate::kernel::Time;
use crate::metrics::RunEnd;
use crate::simulation::Simulation;
use crate::workload::agent::ActorId;

impl<E: Engine> Simulation<'_, E> {
    pub(super) fn start_child(&mut self, now: Time, id: ActorId) {
        let blank = self.calls.blank();
        let task = &mut self.tasks[id.index() as usize];
        let index = task.next_child;
        task.next_child += 1;
        let parent = &self.actors[id];
        let script = agents(&mut self.sources[usize::from(parent.use_case)].script);
        let child = script.child(parent, index, blank);
        let start = self.program(id).children.as_ref().expect("it has sub-agents").start;
        let alone = self.task(id).alone.child(start, child.shared_tokens());
        let child = self.enroll(child, None, Some(id));
        self.task(child).alone = alone;
        self.task(id).children.push(child);
        self.begin_run(now, child);
    }

    /// A sub-agent has ended; it is still there.
    pub(super) fn on_child(&mut self, now: Time, id: ActorId, child: ActorId) {
        if self.replays(id) {
            return self.replay_child(now, id, child);
        }
        let summary = {
            let script = agents(&mut self.sources[usize::from(self.actors[id].use_case)].script);
            script.summary(&self.actors[id], &self.actors[child])
        };
        let order = self.program(id).children.as_ref().expect("it has sub-agents").order;
        self.take_over_spent(id, child);
        let alone = self.task(child).alone;
        self.task(id).alone.child_ended(&alone, order);
        let ended = std::mem::take(&mut self.task(child).path);
        let counts = self.task(child).counts;
        let turn = self.actors[id].turn;
        let task = &mut self.tasks[id.index() as usize];
        task.children.retain(|&other| other != child);
        task.counts.add(&counts);
        self.path_room.for_child(&mut task.path, &ended);
        let mut goes_on = Goes::Nowhere;
        match order {
            ChildOrder::Background => {
                task.background -= 1;
                task.reported = task.reported.saturating_add(summary);
                let first = *task.first_end.get_or_insert(now);
                if task.awaits_background && task.background == 0 {
                    task.path.take_over(&ended, first, now, turn);
                    goes_on = Goes::Asks;
                }
            }
            ChildOrder::Sequence => {
                task.tokens = task.tokens.saturating_add(summary);
                task.children_due -= 1;
                task.path.take_over(&ended, now, now, turn);
                if task.children_due > 0 {
                    goes_on = Goes::Starts;
                } else if task.is_joined() {
                    goes_on = Goes::Joins;
                }
            }
            ChildOrder::Parallel => {
                task.tokens = task.tokens.saturating_add(summary);
                let first = *task.first_end.get_or_insert(now);
                task.children_due -= 1;
                if task.is_joined() {
                    task.path.take_over(&ended, first, now, turn);
                    goes_on = Goes::Joins;
                }
            }
        }
        let is_enough = order == ChildOrder::Parallel && task.children_due == 0;
        self.task(child).path = ended;
        self.dismiss(child);
        if is_enough {
            self.call_off_children(now, id, Why::CalledOff);
        }
        match goes_on {
            Goes::Nowhere => {}
            Goes::Asks => self.ask(now, id),
            Goes::Starts => self.start_child(now, id),
            Goes::Joins => self.joined(now, id),
        }
    }

    /// The sub-agents of an actor are no longer waited for, nor theirs.
    pub(super) fn call_off_children(&mut self, now: Time, id: ActorId, why: Why) {
        while let Some(child) = self.task(id).children.pop() {
            self.call_off_children(now, child, why);
            self.call_off(now, child, why);
            if self.watch.is_some() {
                self.watch_run(now, child, Some(RunEnd::Abandoned));
            }
            let (use_case, member, counts) = {
                let actor = &self.actors[child];
                let counts = self.tasks[child.index() as usize].counts;
                (usize::from(actor.use_case), usize::from(actor.member), counts)
            };
            self.task(id).counts.add(&counts);
            self.take_over_spent(id, child);
            if let Some(runs) = self.recorder.runs(use_case, member) {
                runs.abandoned += 1;
                runs.spent.add(&self.tasks[child.index() as usize].spent);
            }
            self.dismiss(child);
        }
    }
}

/// How a parent goes on when a sub-agent has ended.
enum Goes {
    Nowhere,
    Asks,
    Starts,
    Joins,
}
