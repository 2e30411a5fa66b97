//! A stretch of a run that is looked at closely.

use super::{Options, Simulation};
use crate::factory::{Engine, Pool, Replica};
use crate::kernel::Time;
use crate::metrics::{Point, Watch, Watched, WatchedCall, Window};
use crate::scenario::Scenario;

/// Watches `window` of replication number `replication` of `scenario`, which
/// ends with it, for at most `calls_max` calls.
pub fn watch(
    scenario: &Scenario,
    replication: u64,
    options: Options,
    window: Window,
    calls_max: usize,
) -> Watched {
    let simulation = Simulation::<Replica>::new(scenario, replication, options);
    simulation.watch_to_end(Watch::new(window, calls_max))
}

impl<E: Engine> Simulation<'_, E> {
    /// Runs until `watch` has seen all it wants to see.
    fn watch_to_end(mut self, watch: Watch) -> Watched {
        self.watch = Some(Box::new(watch));
        let end = self.run_to_end();
        let watch = self.watch.take().expect("nobody else takes it");
        let open = self.calls.iter().map(|call| {
            let pool = usize::from(call.pool);
            let (replica, _) = self.pools[pool].router.place(call.lane);
            WatchedCall { call: *call, pool, replica, finished: None, is_aborted: false }
        });
        watch.end(end, open, self.open_runs(end))
    }

    /// Lets the watch see the factory before what happens at `now`; whether it
    /// wants to see that.
    pub(super) fn look(&mut self, now: Time) -> bool {
        let watch = self.watch.as_mut().expect("asked for");
        if watch.wants_sample(now) {
            watch.sample(now, points(&self.pools, now));
        }
        !watch.is_over(now)
    }
}

/// The state of each pool.
pub(super) fn points<E: Engine>(pools: &[Pool<E>], now: Time) -> impl Iterator<Item = Point> {
    pools.iter().map(move |pool| {
        pool.engines.iter().fold(Point::default(), |point, engine| {
            let load = engine.load(now);
            Point {
                running: point.running + load.running,
                waiting: point.waiting + load.waiting,
                blocks_used: point.blocks_used + load.blocks_used,
                ..point
            }
        })
    })
}
