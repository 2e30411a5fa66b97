//! What a timeline is made of.

use crate::factory::Engine;
use crate::kernel::Time;
use crate::metrics::{RunEnd, RunKey, WatchedRun, WatchedTool};
use crate::simulation::Simulation;
use crate::workload::agent::{Actor, ActorId};

impl<E: Engine> Simulation<'_, E> {
    pub(super) fn run_key(&self, id: ActorId) -> RunKey {
        RunKey { place: id.index(), began: self.tasks[id.index() as usize].began }
    }

    pub(super) fn watched_run(&self, now: Time, id: ActorId, end: Option<RunEnd>) -> WatchedRun {
        let Actor { use_case, member, number, run, .. } = self.actors[id];
        let task = &self.tasks[id.index() as usize];
        WatchedRun {
            key: self.run_key(id),
            parent: task.parent.map(|parent| self.run_key(parent)),
            member: (use_case, member),
            number: (number, run),
            path: task.path.clone(),
            end,
            until: now,
        }
    }

    pub(super) fn watch_run(&mut self, now: Time, id: ActorId, end: Option<RunEnd>) {
        let run = self.watched_run(now, id, end);
        self.watch.iter_mut().for_each(|watch| watch.run(run.clone()));
    }

    /// The runs that go on at `now`, the last event.
    pub(in crate::simulation) fn open_runs(&self, now: Time) -> impl Iterator<Item = WatchedRun> {
        let runs = self.actors.ids().filter(|&id| self.tasks[id.index() as usize].is_running);
        runs.map(move |id| self.watched_run(now, id, None))
    }

    #[inline]
    pub(super) fn watch_tool(
        &mut self,
        id: ActorId,
        at: u16,
        pool: Option<u16>,
        ran: (Time, Time),
    ) {
        if self.watch.is_none() {
            return;
        }
        let Actor { use_case, member, .. } = self.actors[id];
        let class = self.task(id).tools[usize::from(at)].class;
        let (run, member) = (self.run_key(id), (use_case, member));
        let tool = WatchedTool { pool, run, member, class, from: ran.0, until: ran.1 };
        self.watch.iter_mut().for_each(|watch| watch.tool(tool));
    }
}
