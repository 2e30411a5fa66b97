//! Runs: how they begin, what their turns lead to, how they end.

use super::agents;
use crate::catalog::{Agent, ChildOrder, Join, ToolOrder};
use crate::factory::{Engine, Why};
use crate::kernel::{Span, Time};
use crate::metrics::{RunCounts, RunEnd};
use crate::simulation::Simulation;
use crate::simulation::event::Event;
use crate::workload::agent::{ActorId, Plan};

impl<E: Engine> Simulation<'_, E> {
    /// The session's next run, or the run of a sub-agent that was just made.
    pub(in crate::simulation) fn begin_run(&mut self, now: Time, id: ActorId) {
        let replays = self.replays(id);
        let actor = &mut self.actors[id];
        if self.tasks[id.index() as usize].parent.is_none() && !replays {
            agents(&mut self.sources[usize::from(actor.use_case)].script).begin_run(actor);
        }
        let run = actor.run;
        let task = self.task(id);
        task.began = now;
        task.is_running = true;
        task.is_partial = false;
        task.path.begin(now);
        task.counts = RunCounts::default();
        task.spent.clear();
        task.alone.begin();
        if replays {
            return self.replay_run(now, id);
        }
        if let (Some(patience_s), None) = (self.program(id).limits.patience_s, self.task(id).parent)
        {
            let event = Event::Patience { actor: id, run };
            self.alarm(now + Span::from_seconds(patience_s), event);
        }
        self.ask(now, id);
    }

    /// The gap between two runs is over, or the simulation has come to the next call of
    /// a run that began before it.
    pub(in crate::simulation) fn on_run(&mut self, now: Time, id: ActorId) {
        match self.task(id).under_way.take() {
            None => self.begin_run(now, id),
            Some(age) => self.go_on_with_run(now, id, age),
        }
    }

    /// The next call of a run that began `age` ago, before the simulation did.
    fn go_on_with_run(&mut self, now: Time, id: ActorId, age: Span) {
        let task = self.task(id);
        task.began = now;
        task.is_running = true;
        task.is_partial = true;
        task.path.begin(now);
        task.alone.begin();
        if let Some(patience_s) = self.program(id).limits.patience_s {
            let left = Span::from_seconds(patience_s - age.seconds());
            let event = Event::Patience { actor: id, run: self.actors[id].run };
            self.alarm(now + left, event);
        }
        self.ask(now, id);
    }

    /// Starts the tools and sub-agents of a turn.
    pub(super) fn act(&mut self, now: Time, id: ActorId, plan: &Plan) {
        let (in_sequence, order, join) = {
            let Agent { tools, children, .. } = self.program(id);
            let in_sequence = tools.as_ref().is_some_and(|it| it.order == ToolOrder::Sequence);
            let order = children.as_ref().map_or(ChildOrder::Parallel, |it| it.order);
            (in_sequence, order, children.as_ref().map_or(Join::All, |it| it.join))
        };
        let task = self.task(id);
        task.tools.clear();
        task.tools.extend_from_slice(&plan.tools);
        task.tokens = plan.tools.iter().map(|tool| tool.tokens).sum();
        task.failed = plan.tools.iter().any(|tool| tool.fails);
        task.counts.tools += plan.tools.len() as u64;
        task.counts.children += u64::from(plan.children);
        task.next_tool = 0;
        task.first_end = None;
        (task.next_child, task.children_planned) = (0, plan.children);
        task.children_due = match (order, join) {
            (ChildOrder::Background, _) => 0,
            (_, Join::All) => plan.children,
            (_, Join::AtLeast(enough)) => enough.min(plan.children),
        };
        if order == ChildOrder::Background {
            task.background += plan.children;
        }
        if !plan.tools.is_empty() {
            self.tools_alone(id, in_sequence);
            if in_sequence { self.start_tool(now, id, 0) } else { self.start_tools(now, id) }
        }
        let at_once =
            if order == ChildOrder::Sequence { plan.children.min(1) } else { plan.children };
        (0..at_once).for_each(|_| self.start_child(now, id));
        if self.task(id).is_joined() {
            self.joined(now, id);
        }
    }

    /// All that the present turn led to has come.
    pub(super) fn joined(&mut self, now: Time, id: ActorId) {
        let task = &mut self.tasks[id.index() as usize];
        let actor = &mut self.actors[id];
        let script = agents(&mut self.sources[usize::from(actor.use_case)].script);
        script.joined(actor, std::mem::take(&mut task.tokens), task.failed);
        task.alone.joined();
        let most = self.program(id).limits.retries;
        if self.actors[id].retries > most {
            return self.end_run(now, id, RunEnd::Failed);
        }
        self.ask(now, id);
    }

    /// The last answer of a run is there, or it ends without.
    pub(in crate::simulation) fn end_run(&mut self, now: Time, id: ActorId, end: RunEnd) {
        // All that a run has started has ended with it, unless it was given up.
        self.call_off_children(now, id, Why::GaveUp);
        if self.watch.is_some() {
            self.watch_run(now, id, Some(end));
        }
        let actor = &self.actors[id];
        let (use_case, member) = (usize::from(actor.use_case), usize::from(actor.member));
        let deadline_s = self.program(id).limits.deadline_s;
        let task = &mut self.tasks[id.index() as usize];
        task.background = 0;
        task.reported = 0;
        task.is_running = false;
        let latency = now.since(task.began);
        let counts = &task.counts;
        self.audit.run(counts.calls, counts.turns + counts.compactions + counts.retries);
        if task.is_partial {
            if let Some(runs) = self.recorder.runs(use_case, member) {
                runs.spent.add(&task.spent);
            }
        } else if end == RunEnd::Done {
            let parts = task.path.parts();
            assert_eq!(parts.iter().sum::<u64>(), latency.ticks(), "the path is all of the run");
            let is_in_time = deadline_s.is_none_or(|most| latency.seconds() <= most);
            let runs = self.recorder.runs(use_case, member);
            if let Some(runs) = runs {
                runs.add_done(latency, &parts, is_in_time);
                runs.add_path(&task.path);
                runs.counts.add(&task.counts);
                runs.spent_on_done.add(&task.spent);
                runs.alone_ticks += u128::from(task.alone.latency);
                runs.spent.add(&task.spent);
            }
        } else if let Some(runs) = self.recorder.runs(use_case, member) {
            match end {
                RunEnd::Failed => runs.failed += 1,
                _ => runs.abandoned += 1,
            }
            runs.spent.add(&task.spent);
        }
        match self.task(id).parent {
            Some(parent) => self.on_child(now, parent, id),
            None => self.after_run(now, id, end),
        }
    }

    /// The session goes on after a pause, or is over.
    pub(super) fn after_run(&mut self, now: Time, id: ActorId, end: RunEnd) {
        // A recorded sub-agent that nobody waits for.
        if self.actors[id].depth > 0 {
            return self.dismiss(id);
        }
        let is_broken = end == RunEnd::Abandoned || self.actors[id].is_refused();
        if is_broken || self.actors[id].is_in_last_run() {
            let actor = &self.actors[id];
            let (use_case, runs, errand) =
                (usize::from(actor.use_case), actor.run + 1, actor.errand);
            let client = self.task(id).client;
            self.dismiss(id);
            self.recorder.session_ended(use_case, runs, !is_broken);
            self.audit.agent_session_ended();
            if let Some(client) = client {
                self.ask_again(now, use_case, client, is_broken);
            }
            if let Some(job) = errand.job {
                self.on_job_item(now, job, errand.began);
            }
            return;
        }
        let until = if self.replays(id) {
            self.replay_gap(now, id)
        } else {
            let actor = &self.actors[id];
            now + agents(&mut self.sources[usize::from(actor.use_case)].script).gap(actor)
        };
        self.actors[id].run += 1;
        self.path_room.take_back(&mut self.tasks[id.index() as usize].path);
        self.alarm(until, Event::Run { actor: id });
    }

    /// Takes an actor out.
    pub(in crate::simulation) fn dismiss(&mut self, id: ActorId) {
        let content = self.actors.remove(id).take_content();
        self.calls.recycle(content);
        self.path_room.take_back(&mut self.tasks[id.index() as usize].path);
    }

    /// What a sub-agent has used is used by its parent too.
    pub(in crate::simulation) fn take_over_spent(&mut self, id: ActorId, child: ActorId) {
        let spent = std::mem::take(&mut self.task(child).spent);
        self.task(id).spent.add(&spent);
        self.task(child).spent = spent;
    }

    /// A user has waited long enough for a run.
    pub(in crate::simulation) fn on_patience(&mut self, now: Time, id: ActorId, run: u32) {
        // Between runs it is at the next one already.
        if self.actors.contains(id) && self.actors[id].run == run {
            self.call_off(now, id, Why::GaveUp);
            self.end_run(now, id, RunEnd::Abandoned);
        }
    }
}
