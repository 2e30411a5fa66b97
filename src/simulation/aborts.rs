//! Calls that nobody waits for any more, and how their pools hear of it.
//!
//! Whoever gives a call up closes its connection, which the pool hears half a round
//! trip later. The call leaves at the next step boundary there; the GPU time that it
//! has taken by then is paid for.

use super::Simulation;
use super::event::Event;
use super::network::ways;
use crate::factory::{Call, CallId, Engine, Gone, Pool, Waiter};
use crate::kernel::Time;

impl<E: Engine> Simulation<'_, E> {
    /// GPU time that a call has taken of its pool by now, in grains.
    pub(super) fn worked(&self, now: Time, id: CallId) -> u64 {
        let call = &self.calls[id];
        let Pool { spec, engines, router, .. } = &self.pools[usize::from(call.pool)];
        let (replica, _) = router.place(call.lane);
        engines[replica as usize].worked(spec, now, id, &self.calls)
    }

    /// A call that nobody waited for has left. What it took beyond what its run has
    /// paid for, the runs of its agent and those of its session's pay together.
    pub(super) fn settle_gone(&mut self, call: &Call, gone: Gone) {
        let (use_case, pool) = (usize::from(call.use_case), usize::from(call.pool));
        let rest = call.work - gone.paid;
        let of_session = 0;
        let member = usize::from(gone.member);
        for member in [Some(of_session), (member != of_session).then_some(member)] {
            if let Some(runs) = member.and_then(|member| self.recorder.runs(use_case, member)) {
                runs.spent.add_work(pool, rest.into());
            }
        }
    }

    /// Whoever waited for call `id`, which is at its pool, or comes there now, has
    /// closed the connection at `since`.
    pub(super) fn hang_up(&mut self, now: Time, since: Time, id: CallId) {
        let (there, _) = ways(self.calls[id].network);
        let heard = since + there;
        if heard > now {
            return self.alarm(heard, Event::Abort { call: id });
        }
        self.abort(now, id);
    }

    /// The pool of a call hears that nobody waits for it, if it is still there.
    pub(super) fn abort(&mut self, now: Time, id: CallId) {
        if self.calls.contains(id) {
            self.wait_for_steps(now);
            self.aborting.push(id);
        }
    }

    /// All steps that end now have ended: engines are told.
    pub(super) fn tell_aborts(&mut self, now: Time) {
        for at in 0..self.aborting.len() {
            let id = self.aborting[at];
            // It may have ended with one of them.
            if !self.calls.contains(id) {
                continue;
            }
            let call = &self.calls[id];
            let pool = &mut self.pools[usize::from(call.pool)];
            let (replica, _) = pool.router.place(call.lane);
            let moved = pool.engines[replica as usize].abort(now, id);
            let slot = pool.first_slot + replica;
            self.reschedule(now, slot, moved);
        }
        self.aborting.clear();
    }

    /// A call has left its engine before its end.
    pub(super) fn on_aborted(&mut self, now: Time, pool: usize, id: CallId, was_running: bool) {
        let (call, content) = self.calls.remove(id);
        self.calls.recycle(content);
        self.window_calls -= u64::from(self.window.contains(call.arrived));
        self.occupancy[pool].calls -= 1;
        self.occupancy[pool].waiting -= u32::from(!was_running && !call.is_of_a_job);
        self.look_for_jobs(now, pool);
        if !self.pools[pool].spec.offload.is_empty() {
            self.tiers.settle(id);
        }
        let Waiter::Gone(gone) = call.waiter else { unreachable!("nobody waits for it") };
        self.settle_gone(&call, gone);
        self.recorder.aborted(now, pool, &call, was_running, gone.why);
        self.audit.aborted(now, &call);
        if let Some(watch) = &mut self.watch {
            let (replica, _) = self.pools[pool].router.place(call.lane);
            watch.left(now, pool, replica, &call, true);
        }
        let router = &mut self.pools[pool].router;
        if call.first_token == Time::MAX {
            router.prefilled(now, id, &call);
        }
        router.left(now, &call);
    }
}
