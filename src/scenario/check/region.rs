//! Checks regions: what they are called, how far apart they are, and which pools
//! serve the users of which.

use super::Check;
use super::demand::SECONDS_PER_DAY;
use crate::catalog::Scope;
use crate::demand::Clock;
use crate::factory::Serve;
use crate::kernel::{Span, TICKS_PER_SECOND, Time};
use crate::scenario::raw::{
    RawRegion, RawScenario, RawServe, RawServeName, RawServeTable, RawUseCase,
};
use crate::scenario::tree::{At, suggest};
use crate::scenario::units::Duration;
use crate::scenario::{Arrivals, Origin, Origins, Pool};
use indexmap::IndexMap;
use jiff::tz::TimeZone;

/// Longest round trip: to the Moon and back is 2.6 s.
const ROUND_TRIP_S_MAX: f64 = 60.0;
/// How far shares may add up to something else than 1.
const SHARES_ERROR: f64 = 1e-3;
/// Instants that a policy is looked at to tell what each pool will serve.
const INSTANTS: u64 = 9_600;

/// A region, as checked.
#[derive(Clone, Debug)]
pub(super) struct Region {
    name: String,
    zone: TimeZone,
    round_trip: Span,
    /// To other regions, as far as stated.
    round_trips: IndexMap<String, Span>,
}

impl Check<'_> {
    /// The regions of the scenario, kept for pools and use cases.
    pub(super) fn regions(&mut self, root: &At<'_>, raw: &mut RawScenario) {
        let entries = self.entries::<RawRegion>(root, "region");
        self.at_most(&root.key("region"), Origins::REGIONS_MAX);
        let names: Vec<String> =
            entries.iter().flat_map(|(_, raw)| raw).map(|raw| raw.name.clone()).collect();
        for (at, entry) in entries {
            let Some(entry) = entry else { continue };
            self.name(&at.key("name"), &entry.name);
            let zone = entry.time_zone.as_deref().unwrap_or("UTC");
            let zone = self.zone(&at.key("time_zone"), zone);
            let round_trip = self.round_trip(&at.key("round_trip"), entry.round_trip.as_ref());
            let mut round_trips = IndexMap::new();
            for (other, trip) in &entry.round_trips {
                let place = at.key("round_trips").key(other);
                if *other == entry.name {
                    self.wrong(&place, "leads to itself", "write `round_trip` for that");
                } else if !names.contains(other) {
                    let fix = suggest(other, names.iter().map(String::as_str));
                    self.wrong(&place, "there is no region of this name", fix);
                }
                round_trips.insert(other.clone(), self.round_trip(&place, Some(trip)));
            }
            // A region that was objected to is still there for others to name.
            let zone = zone.unwrap_or(TimeZone::UTC);
            let name = entry.name.clone();
            self.regions.push(Region { name, zone, round_trip, round_trips });
            raw.region.push(entry);
        }
    }

    /// The region that a pool says it stands in.
    pub(super) fn region_of_pool(&mut self, at: &At<'_>, name: Option<&String>) -> Option<String> {
        let name = name?;
        self.known_region(&at.key("region"), name)?;
        Some(name.clone())
    }

    fn round_trip(&mut self, at: &At<'_>, trip: Option<&Duration>) -> Span {
        let seconds = trip.map_or(0.0, |trip| trip.value);
        if seconds > ROUND_TRIP_S_MAX {
            self.wrong(at, "is more than a minute", "write a round trip such as \"85 ms\"");
        }
        Span::from_seconds(seconds)
    }

    fn known_region(&mut self, at: &At<'_>, name: &str) -> Option<usize> {
        let found = self.regions.iter().position(|region| region.name == name);
        if found.is_none() {
            let names: Vec<String> =
                self.regions.iter().map(|region| region.name.clone()).collect();
            let fix = match names.as_slice() {
                [] => "add a [[region]] with this name".to_owned(),
                names => suggest(name, names.iter().map(String::as_str)),
            };
            self.wrong(at, "there is no region of this name", fix);
        }
        found
    }

    /// Where the users of a use case are and which of `pools` serve them, at `sites`,
    /// and their agents that have a pool of their own. The outer `None` is a mistake.
    pub(super) fn origins(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        sites: Option<&[usize]>,
        names: &[&str],
        pools: &[Option<Pool>],
    ) -> Option<Option<Origins>> {
        let own = self.round_trip(&at.key("round_trip"), raw.round_trip.as_ref());
        let origins = match raw.regions.is_empty() {
            true => self.one_place(at, raw, sites?, own, pools)?,
            false => self.several_places(at, raw, sites, own, pools)?,
        };
        let of_models = raw.replay.iter().flat_map(|replay| replay.models.0.values());
        let of_agents = raw.pools.0.values().chain(of_models);
        let of_agents = of_agents.filter_map(|pool| names.iter().position(|name| name == pool));
        let of_agents: Vec<usize> = of_agents.collect();
        self.with_own_pools(at, origins, sites?[0], &of_agents, own, pools)
    }

    /// Users who are told apart by region.
    fn several_places(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        sites: Option<&[usize]>,
        own: Span,
        pools: &[Option<Pool>],
    ) -> Option<Option<Origins>> {
        if raw.time_zone.is_some() {
            let fix = "remove it: its regions have time zones of their own";
            self.wrong(&at.key("time_zone"), "is given beside regions", fix);
        }
        let shares = self.shares(&at.key("regions"), raw);
        let policy = self.serve(&at.key("serve"), raw.serve.as_ref());
        let sites = sites?;
        let stands = self.stands(at, sites, pools)?;
        let ((shares, sum), serve) = (shares?, policy?);
        let mut regions = Vec::new();
        for (users, share) in shares {
            regions.push(self.origin(at, (users, share / sum), serve, &stands, own)?);
        }
        let clocks = match serve {
            Serve::ByClock { .. } => self.clocks(&at.key("serve"), &stands)?,
            Serve::Home | Serve::Overflow { .. } => Vec::new(),
        };
        let (pools, choices) = (sites.to_vec(), sites.len());
        let expected = Vec::new();
        let mut origins = Origins { pools, choices, regions, serve, clocks, expected };
        origins.expected = self.expected(&origins);
        Some(Some(origins))
    }

    /// Users who are not told apart by region.
    fn one_place(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        sites: &[usize],
        round_trip: Span,
        pools: &[Option<Pool>],
    ) -> Option<Option<Origins>> {
        let fix = "add e.g. regions = { us = 0.6, eu = 0.4 }";
        if raw.batch.is_some() {
            return self.anywhere(at, sites, pools);
        }
        if sites.len() > 1 {
            self.wrong(&at.key("pool"), "names several pools, and no region tells which", fix);
            return None;
        }
        if raw.serve.is_some() {
            self.wrong(&at.key("serve"), "chooses among regions, and here are none", fix);
            return None;
        }
        Some((round_trip > Span::ZERO).then(|| Origins::of_one_pool(sites[0], round_trip)))
    }

    /// The pools of agents that have one of their own, behind the others. Where users are
    /// told apart by region it is as far as its region is.
    fn with_own_pools(
        &mut self,
        at: &At<'_>,
        origins: Option<Origins>,
        pool: usize,
        of_agents: &[usize],
        own: Span,
        pools: &[Option<Pool>],
    ) -> Option<Option<Origins>> {
        if origins.is_none() && of_agents.iter().all(|&other| other == pool) {
            return Some(None);
        }
        let mut origins = origins.unwrap_or_else(|| Origins::of_one_pool(pool, own));
        for &pool in of_agents {
            let known = origins.pools.iter().position(|&other| other == pool);
            let site = known.unwrap_or_else(|| {
                origins.pools.push(pool);
                origins.expected.push(0.0);
                origins.pools.len() - 1
            });
            let stands = pools.get(pool)?.as_ref()?.region.as_ref();
            let stands =
                stands.and_then(|name| self.regions.iter().position(|it| it.name == *name));
            for origin in &mut origins.regions {
                let users = self.regions.iter().position(|it| it.name == origin.region);
                let round_trip = match users {
                    Some(users) => self.way(at, users, stands, own)?,
                    None => own,
                };
                origin.round_trips.resize(origins.pools.len(), Span::ZERO);
                origin.round_trips[site] = round_trip;
            }
        }
        Some(Some(origins))
    }

    /// The round trip of users in one region to a pool in another, or to one that
    /// stands in none and is no farther than they are from their own.
    fn way(&mut self, at: &At<'_>, users: usize, stands: Option<usize>, own: Span) -> Option<Span> {
        let from = &self.regions[users];
        let near = own + from.round_trip;
        let Some(stands) = stands.filter(|&region| region != users) else { return Some(near) };
        let to = &self.regions[stands];
        let between = from.round_trips.get(&to.name).or(to.round_trips.get(&from.name));
        if let Some(&between) = between {
            return Some(near + between);
        }
        let problem = format!("needs the round trip between {} and {}", from.name, to.name);
        let fix =
            format!("add round_trips = {{ {} = \"85 ms\" }} to region {}", to.name, from.name);
        self.wrong(&at.key("regions"), problem, fix);
        None
    }

    /// Jobs, which are done wherever there is room.
    fn anywhere(
        &mut self,
        at: &At<'_>,
        sites: &[usize],
        pools: &[Option<Pool>],
    ) -> Option<Option<Origins>> {
        if sites.len() == 1 {
            return Some(None);
        }
        let known: Option<Vec<&Pool>> =
            sites.iter().map(|&site| pools.get(site)?.as_ref()).collect();
        let known = known?;
        self.alike(&at.key("pool"), &known)?;
        let twice = (1..sites.len()).any(|site| sites[..site].contains(&sites[site]));
        if twice {
            self.wrong(&at.key("pool"), "names a pool twice", "name each pool once");
            return None;
        }
        let seats = |pool: &&Pool| {
            f64::from(pool.replicas * pool.parallelism.data) * f64::from(pool.engine.max_num_seqs)
        };
        let all: f64 = known.iter().map(seats).sum();
        let origin = Origin {
            region: String::new(),
            share: 1.0,
            round_trips: vec![Span::ZERO; sites.len()],
            near: (0..sites.len()).collect(),
        };
        Some(Some(Origins {
            pools: sites.to_vec(),
            choices: sites.len(),
            regions: vec![origin],
            serve: Serve::Home,
            clocks: Vec::new(),
            expected: known.iter().map(|pool| seats(pool) / all).collect(),
        }))
    }

    /// Objects to pools of one use case that differ in what its figures rest on.
    fn alike(&mut self, at: &At<'_>, pools: &[&Pool]) -> Option<()> {
        for pool in pools {
            if let Some(what) = unlike(pools[0], pool) {
                let problem = format!(
                    "has pools {} and {}, which differ in {what}",
                    pools[0].name, pool.name
                );
                self.wrong(at, problem, "let them be alike in that");
                return None;
            }
        }
        Some(())
    }

    /// Regions of users with their shares, and the sum of those.
    fn shares(&mut self, at: &At<'_>, raw: &RawUseCase) -> Option<(Vec<(usize, f64)>, f64)> {
        let mut shares = Some(Vec::new());
        for (name, origin) in &raw.regions {
            let place = at.key(name);
            let region = self.known_region(&place, name);
            let (share, profile, calendar) = origin.parts();
            if share <= 0.0 {
                self.wrong(&place, "has no users", "write a share such as 0.3, or remove it");
            }
            let is_known = calendar.is_none_or(|name| {
                let found = self.catalog.calendar(name);
                self.known(&place.key("calendar"), found).is_some()
            });
            let is_course =
                profile.is_none() || self.profile(&place.key("profile"), profile).is_some();
            shares = match (shares, region) {
                (Some(mut shares), Some(region)) if is_known && is_course => {
                    shares.push((region, share));
                    Some(shares)
                }
                _ => None,
            };
        }
        let sum: f64 = raw.regions.values().map(|origin| origin.parts().0).sum();
        if (sum - 1.0).abs() > SHARES_ERROR {
            self.wrong(at, format!("has shares that add up to {sum:.3}"), "let them add up to 1");
        }
        Some((shares?, sum))
    }

    fn serve(&mut self, at: &At<'_>, raw: Option<&RawServe>) -> Option<Serve> {
        use RawServeName as Name;
        use RawServeTable as Table;
        const NOON: u64 = 12 * 3_600 * TICKS_PER_SECOND;
        match raw {
            None | Some(RawServe::Name(Name::Home) | RawServe::Table(Table::Home)) => {
                Some(Serve::Home)
            }
            Some(RawServe::Name(Name::FollowTheSun) | RawServe::Table(Table::FollowTheSun)) => {
                Some(Serve::ByClock { hour: NOON })
            }
            Some(RawServe::Name(Name::FollowTheMoon) | RawServe::Table(Table::FollowTheMoon)) => {
                Some(Serve::ByClock { hour: 0 })
            }
            Some(RawServe::Name(Name::Overflow)) => Some(Serve::Overflow { fill: 1.0 }),
            Some(RawServe::Table(Table::Overflow { fill })) => {
                self.fill(&at.key("fill"), fill.unwrap_or(1.0)).map(|fill| Serve::Overflow { fill })
            }
        }
    }

    /// A share of the sequences that a pool may run.
    pub(super) fn fill(&mut self, at: &At<'_>, fill: f64) -> Option<f64> {
        if fill > 0.0 && fill <= 100.0 {
            return Some(fill);
        }
        self.wrong(at, "is no share of what a pool may run", "write one such as 0.8");
        None
    }

    /// The region that each of `sites` stands in: each in one of its own, and all
    /// such that figures of the use case mean one thing.
    fn stands(
        &mut self,
        at: &At<'_>,
        sites: &[usize],
        pools: &[Option<Pool>],
    ) -> Option<Vec<usize>> {
        let place = at.key("pool");
        let mut stands: Vec<usize> = Vec::new();
        let mut known: Vec<&Pool> = Vec::new();
        for &site in sites {
            // What is wrong with a pool has been said already.
            let pool = pools.get(site)?.as_ref()?;
            let Some(name) = &pool.region else {
                let problem = format!("names pool {}, which stands in no region", pool.name);
                self.wrong(&place, problem, "give the pool a region");
                return None;
            };
            let region = self.regions.iter().position(|region| region.name == *name)?;
            if stands.contains(&region) {
                let problem = format!("has two pools in region {name}");
                self.wrong(&place, problem, "name one pool a region");
                return None;
            }
            stands.push(region);
            known.push(pool);
        }
        self.alike(&place, &known)?;
        Some(stands)
    }

    /// The users in one region: how far every site is, and which is the nearest.
    fn origin(
        &mut self,
        at: &At<'_>,
        (users, share): (usize, f64),
        serve: Serve,
        stands: &[usize],
        own: Span,
    ) -> Option<Origin> {
        let home = stands.iter().position(|&region| region == users);
        let mut round_trips = Vec::new();
        for &region in stands {
            // Others than the own pool are out of use at home, and need not be known.
            let is_used = home.is_none() || serve != Serve::Home || region == users;
            round_trips.push(match is_used {
                true => self.way(at, users, Some(region), own)?,
                false => Span::ZERO,
            });
        }
        let mut near: Vec<usize> = (0..stands.len()).collect();
        // The own region first, however fast the way to another one; of equals the
        // first.
        near.sort_by_key(|&site| (home != Some(site), round_trips[site]));
        if serve == Serve::Home {
            near.truncate(1);
            let others = round_trips.iter_mut().enumerate();
            others.filter(|(site, _)| *site != near[0]).for_each(|(_, trip)| *trip = Span::ZERO);
        }
        Some(Origin { region: self.regions[users].name.clone(), share, round_trips, near })
    }

    /// The wall clocks of sites that stand in these regions.
    fn clocks(&mut self, at: &At<'_>, stands: &[usize]) -> Option<Vec<Clock>> {
        let start = self.start_of(at)?;
        let end = Time::ZERO + Span::from_seconds(super::HORIZON_S_MAX);
        let clock = |&region: &usize| Clock::new(&self.regions[region].zone, start, end);
        Some(stands.iter().map(clock).collect())
    }

    /// Share of all calls that each site will serve, as far as the clock tells.
    fn expected(&self, origins: &Origins) -> Vec<f64> {
        let mut expected = vec![0.0; origins.pools.len()];
        let day = Span::from_seconds(SECONDS_PER_DAY);
        let length = self.horizon.duration.unwrap_or(day).ticks();
        for origin in &origins.regions {
            for instant in 0..INSTANTS {
                let ticks = (2 * instant + 1) as f64 * (length as f64 / (2 * INSTANTS) as f64);
                let now = Time::from_ticks(ticks as u64);
                let site = origins.serve.choose(now, &origin.near, &origins.clocks, |_, _| true);
                expected[site] += origin.share / INSTANTS as f64;
            }
        }
        expected
    }

    /// The time zone of a region of users.
    pub(super) fn zone_of(&self, origin: &Origin) -> Option<String> {
        let region = self.regions.iter().find(|region| region.name == origin.region)?;
        region.zone.iana_name().map(str::to_owned)
    }

    /// The arrivals of each region, where `steady` ones would come from all of them
    /// together at a constant rate.
    pub(super) fn varying_by_region(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        steady: Arrivals,
        origins: &Origins,
    ) -> Option<Arrivals> {
        let before = self.mistakes.len();
        let mut regions = Vec::new();
        for origin in &origins.regions {
            let (_, profile, calendar) = raw.regions[&origin.region].parts();
            let mut own = raw.clone();
            own.profile = profile.cloned().or(own.profile);
            own.calendar = calendar.map(str::to_owned).or(own.calendar);
            if super::demand::varies(at, &own).next().is_some() {
                own.time_zone = self.zone_of(origin);
            }
            let share = origin.share;
            let steady = match &steady {
                Arrivals::Poisson { rate } => Arrivals::Poisson { rate: rate * share },
                Arrivals::Constant { rate } => Arrivals::Constant { rate: rate * share },
                // Each call, or each client, has its region.
                other => return self.varying(at, raw, other.clone()),
            };
            let arrivals = self.varying(at, &own, steady)?;
            regions.push((origin.region.clone(), arrivals));
            // What is wrong is wrong everywhere: once is enough.
            if self.mistakes.len() > before {
                return None;
            }
        }
        Some(Arrivals::Regions(regions))
    }
}

/// In what two pools of one use case must not differ, and do.
fn unlike(one: &Pool, other: &Pool) -> Option<&'static str> {
    let tiers = |pool: &Pool| -> Vec<String> {
        pool.offload.iter().map(|offload| offload.tier.name.clone()).collect()
    };
    let shares = |pool: &Pool| pool.offload.iter().any(|offload| offload.scope == Scope::All);
    let layout = |pool: &Pool| (pool.precision, pool.parallelism.tensor);
    let differences = [
        (one.model.name != other.model.name, "model"),
        (one.kv.block_tokens != other.kv.block_tokens, "block_tokens"),
        (
            one.engine.prefix_cache.is_some() != other.engine.prefix_cache.is_some(),
            "prefix_caching",
        ),
        (tiers(one) != tiers(other), "their tiers"),
        // Blocks in a tier that both use must be of one make.
        (
            (shares(one) || shares(other)) && layout(one) != layout(other),
            "precision or tensor_parallel, and share a tier",
        ),
    ];
    differences.into_iter().find(|(differ, _)| *differ).map(|(_, what)| what)
}
