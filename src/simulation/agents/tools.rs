//! Tools of a turn, on workers or on infinite servers.

use super::NO_POOL;
use crate::catalog::ToolOrder;
use crate::factory::Engine;
use crate::kernel::{Span, Time};
use crate::metrics::Part;
use crate::simulation::Simulation;
use crate::simulation::event::Event;
use crate::workload::agent::{ActorId, ToolCall};

impl<E: Engine> Simulation<'_, E> {
    /// What the tools of a turn would take if no call waited for a worker.
    pub(super) fn tools_alone(&mut self, id: ActorId, in_sequence: bool) {
        let ticks = |tool: &ToolCall| {
            let start_up = match self.tool_pool(id, *tool) {
                NO_POOL => Span::ZERO,
                pool => self.scenario.tool_pools[usize::from(pool)].start_up,
            };
            (start_up + tool.latency).ticks()
        };
        let each = self.tasks[id.index() as usize].tools.iter().map(ticks);
        let all = if in_sequence { each.sum() } else { each.max().unwrap_or(0) };
        self.task(id).alone.tools(all);
    }

    /// All tool calls at once. Those of infinite servers end with the longest.
    pub(super) fn start_tools(&mut self, now: Time, id: ActorId) {
        let mut longest: Option<(Span, u16)> = None;
        for at in 0..self.task(id).tools.len() {
            let tool = self.task(id).tools[at];
            if self.tool_pool(id, tool) != NO_POOL {
                self.start_tool(now, id, at as u16);
                continue;
            }
            self.watch_tool(id, at as u16, None, (now, now + tool.latency));
            if longest.is_none_or(|(latency, _)| tool.latency > latency) {
                longest = Some((tool.latency, at as u16));
            }
        }
        if let Some((latency, at)) = longest {
            self.task(id).tools_due += 1;
            self.alarm(now + latency, Event::Tool { actor: id, at, pool: NO_POOL });
        }
    }

    pub(super) fn tool_pool(&self, id: ActorId, tool: ToolCall) -> u16 {
        let pools = &self.member(id).tool_pools;
        pools.get(usize::from(tool.class)).copied().flatten().unwrap_or(NO_POOL)
    }

    /// Tool call `at` of the turn.
    pub(super) fn start_tool(&mut self, now: Time, id: ActorId, at: u16) {
        let tool = self.task(id).tools[usize::from(at)];
        let pool = self.tool_pool(id, tool);
        let task = self.task(id);
        task.tools_due += 1;
        task.next_tool = u32::from(at) + 1;
        if pool == NO_POOL {
            self.watch_tool(id, at, None, (now, now + tool.latency));
            return self.alarm(now + tool.latency, Event::Tool { actor: id, at, pool });
        }
        let busy = self.scenario.tool_pools[usize::from(pool)].start_up + tool.latency;
        self.task(id).spent.add_tool(pool.into(), busy.ticks());
        let ended = self.tool_pools[usize::from(pool)].arrive(now, (id, at), tool.latency);
        if let Some(end) = ended {
            self.alarm(end, Event::Tool { actor: id, at, pool });
        }
    }

    /// A tool call has ended.
    pub(in crate::simulation) fn on_tool(&mut self, now: Time, id: ActorId, at: u16, pool: u16) {
        if pool != NO_POOL
            && let Some(((actor, at), end)) = self.tool_pools[usize::from(pool)].leave(now)
        {
            self.alarm(end, Event::Tool { actor, at, pool });
        }
        // Nobody may wait for it any more.
        if !self.actors.contains(id) {
            return;
        }
        if self.replays(id) {
            return self.replay_passed(now, id);
        }
        let in_sequence =
            self.program(id).tools.as_ref().is_some_and(|it| it.order == ToolOrder::Sequence);
        let latency = self.task(id).tools[usize::from(at)].latency;
        let began = Time::ZERO + (now.since(Time::ZERO) - latency);
        if pool != NO_POOL {
            self.watch_tool(id, at, Some(pool), (began, now));
        }
        let task = &mut self.tasks[id.index() as usize];
        let turn = self.actors[id].turn;
        task.tools_due -= 1;
        if in_sequence || task.is_joined() {
            if pool != NO_POOL && began > task.path.until() {
                task.path.mark(began, Part::Sandbox, turn);
            }
            task.path.mark(now, Part::Tool, turn);
        }
        if in_sequence && (task.next_tool as usize) < task.tools.len() {
            let next = task.next_tool as u16;
            return self.start_tool(now, id, next);
        }
        if task.is_joined() {
            self.joined(now, id);
        }
    }
}
