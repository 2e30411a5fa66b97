//! Users of several regions: when they call, how far they are, and who serves them.

mod common;

use common::{load, simulate};
use tokenmill::kernel::{Span, Time};
use tokenmill::metrics::{Part, RegionRecord, RunRecord, UseCaseRecord};
use tokenmill::scenario::{Arrivals, Scenario};
use tokenmill::study::replicate;

/// Two regions, 100 ms apart, with a pool each.
const WORLD: &str = r#"
name = "world"
start = "2026-01-12T00:00:00Z"
[[region]]
name = "us"
time_zone = "America/New_York"
round_trips = { eu = "100 ms" }
[[region]]
name = "eu"
time_zone = "Europe/Berlin"
[[pool]]
name = "west"
region = "us"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 4 }
[[pool]]
name = "east"
region = "eu"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 4 }
"#;

/// The world with a duration and a use case.
fn world(duration: &str, use_case: &str) -> Scenario {
    let head = format!("duration = \"{duration}\"{WORLD}");
    load(&format!("{head}[[use_case]]\nname = \"chat\"\noutput_tokens = 20\n{use_case}\n")).scenario
}

/// One pool, no regions, these lines in its use case.
fn plain(use_case: &str) -> Scenario {
    let text = format!(
        "name = \"p\"\n[[pool]]\nname = \"west\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n\
         engine = {{ max_num_seqs = 4 }}\n[[use_case]]\nname = \"chat\"\noutput_tokens = 20\n{use_case}\n"
    );
    load(&text).scenario
}

fn only(record: &RunRecord) -> &UseCaseRecord {
    &record.whole.use_cases[0]
}

#[track_caller]
fn near(found: f64, exact: f64) {
    assert!((found - exact).abs() < 1e-9 * exact.abs().max(1.0), "{found}, not {exact}");
}

const CLIENT: &str =
    "prompt_tokens = 300\narrivals = { process = \"closed-loop\", clients = 1, requests = 40 }";

#[test]
fn a_round_trip_is_added_to_what_users_see_and_to_nothing_else() {
    let at_once = simulate(&plain(CLIENT));
    let far = simulate(&plain(&format!("{CLIENT}\nround_trip = \"85 ms\"")));
    let (here, there) = (only(&at_once), only(&far));
    near(there.ttft.mean - here.ttft.mean, 0.085);
    near(there.ttft.quantiles[3] - here.ttft.quantiles[3], 0.085);
    near(there.e2e.mean - here.e2e.mean, 0.085);
    near(there.queue.mean, here.queue.mean);
    near(there.itl.mean, here.itl.mean);
    near(there.tpot.mean, here.tpot.mean);
    let parts = there.ttft_parts;
    let all = (parts.network + parts.queue + parts.fetch + parts.prefill) as f64 / 1e10;
    near(all, there.ttft.mean * 40.0);
    assert_eq!(parts.network, 40 * 850_000_000);
    assert_eq!(here.ttft_parts.network, 0);
    // A client asks again when it has the answer: half a way before the first
    // call, a whole one before each other.
    near(far.end_s - at_once.end_s, 0.085 * 39.5);
}

#[test]
fn the_first_visible_token_has_the_same_way() {
    let lines = format!("{CLIENT}\nthinking = {{ tokens = 50 }}");
    let at_once = simulate(&plain(&lines));
    let far = simulate(&plain(&format!("{lines}\nround_trip = \"85 ms\"")));
    let visible = |record: &RunRecord| only(record).thinking.as_ref().unwrap().visible_ttft.mean;
    near(visible(&far) - visible(&at_once), 0.085);
}

#[test]
fn the_next_turn_of_a_session_waits_for_the_answer() {
    let lines = "prompt_tokens = 300\nsession = { turns = 6, think = \"2 s\" }\narrivals = { process = \
                 \"closed-loop\", clients = 1, requests = 3 }";
    let at_once = simulate(&plain(lines));
    let far = simulate(&plain(&format!("{lines}\nround_trip = \"85 ms\"")));
    assert_eq!(only(&far).sessions.completed, 3);
    near(far.end_s - at_once.end_s, 0.085 * (3.0 * 6.0 - 0.5));
}

#[test]
fn a_call_that_can_never_be_served_is_refused_half_a_round_trip_late() {
    let lines = "prompt_tokens = 200_000\narrivals = { process = \"closed-loop\", clients = 2, requests = 8 }\n\
                 round_trip = \"400 ms\"";
    let record = simulate(&plain(lines));
    assert_eq!((only(&record).rejected, only(&record).calls), (8, 0));
    // Each client asks four times, a second after it heard.
    near(record.end_s, 0.2 + 3.0 * 1.4);
}

#[test]
fn one_region_without_a_network_is_no_region() {
    let regions = world("1 h", &format!("{CLIENT}\npool = \"west\"\nregions = {{ us = 1 }}"));
    let (one, none) = (simulate(&regions), simulate(&plain(CLIENT)));
    assert_eq!(one.digest, none.digest);
    assert_eq!(format!("{:?}", only(&one).ttft), format!("{:?}", only(&none).ttft));
    assert_eq!((only(&one).regions.len(), only(&none).regions.len()), (1, 0));
}

const SHARES: &str = "regions = { us = 0.75, eu = 0.25 }\nprompt_tokens = 300";

#[test]
fn each_region_calls_by_its_own_clock() {
    let day = "users = 40_000\nsessions_per_user_per_day = 1\nprofile = \"enterprise\"";
    let all = world("2 days", &format!("{SHARES}\n{day}"));
    let Arrivals::Regions(regions) = &all.use_cases[0].arrivals else { panic!("regions") };
    let hour = |at: u32| Time::ZERO + Span::from_seconds(3_600.0 * f64::from(at));
    let mut sum = [0.0; 48];
    for ((name, part), (zone, share)) in
        regions.iter().zip([("America/New_York", 0.75), ("Europe/Berlin", 0.25)])
    {
        let alone = world(
            "2 days",
            &format!("pool = \"west\"\nprompt_tokens = 300\ntime_zone = \"{zone}\"\n{day}"),
        );
        let (Arrivals::Varying(part), Arrivals::Varying(alone)) =
            (part, &alone.use_cases[0].arrivals)
        else {
            panic!("{name} varies")
        };
        for at in 0..48 {
            let own = part.curve.arrivals(hour(at), hour(at + 1));
            near(own, share * alone.curve.arrivals(hour(at), hour(at + 1)));
            sum[at as usize] += own;
        }
    }
    // Peaks at other hours: all together never reach their sum.
    let end = hour(48);
    let peaks: f64 = regions.iter().map(|(_, part)| part.peak_rate(end)).sum();
    let together = all.use_cases[0].arrivals.peak_rate(end);
    let busiest = sum.iter().copied().fold(0.0, f64::max) / 3_600.0;
    assert!(busiest <= together && together < 0.98 * peaks, "{busiest} {together} {peaks}");
    let rates = |at: f64| -> f64 {
        let now = Time::ZERO + Span::from_seconds(at);
        let rate = |(_, part): &(String, Arrivals)| match part {
            Arrivals::Varying(demand) => demand.curve.pieces(now).next().unwrap().rate_from,
            _ => unreachable!(),
        };
        regions.iter().map(rate).sum()
    };
    let seen = (0..48 * 60).map(|minute| rates(60.0 * f64::from(minute))).fold(0.0, f64::max);
    assert!((seen / together - 1.0).abs() < 1e-9, "{seen} {together}");
    // What is simulated arrives so.
    let record = simulate(&all);
    let calls: Vec<u64> = only(&record).regions.iter().map(|region| region.calls).collect();
    for (calls, share) in calls.iter().zip([0.75, 0.25]) {
        let expected = share * 80_000.0 * (sum.iter().sum::<f64>() / 80_000.0);
        assert!((*calls as f64 - expected).abs() < 4.0 * expected.sqrt(), "{calls} of {expected}");
    }
    assert_eq!(calls.iter().sum::<u64>(), only(&record).calls);
}

#[test]
fn at_home_every_region_has_its_pool_and_its_way() {
    let rate = "arrivals = { process = \"poisson\", rate = \"1 /s\" }\nround_trip = \"30 ms\"";
    let record =
        simulate(&world("10 min", &format!("{SHARES}\n{rate}\nslo = {{ ttft = \"29 ms\" }}")));
    let regions = &only(&record).regions;
    let served: Vec<Vec<u64>> =
        regions.iter().map(|region| region.sites.iter().map(|site| site.calls).collect()).collect();
    assert_eq!((served[0][1], served[1][0]), (0, 0));
    assert_eq!([served[0][0], served[1][1]], [0, 1].map(|at| record.whole.pools[at].finished));
    assert!(regions.iter().all(|region| region.network == u128::from(region.calls) * 300_000_000));
    // The promise is to the user: the way alone breaks it.
    assert_eq!(only(&record).good, 0);
}

#[test]
fn a_region_without_a_pool_is_served_by_the_nearest() {
    let lines = "regions = { us = 0.7, eu = 0.3 }\nprompt_tokens = 300\npool = \"west\"\narrivals = { \
                 process = \"constant\", rate = \"1 /s\" }";
    let record = simulate(&world("10 min", lines));
    let regions = &only(&record).regions;
    assert_eq!(regions[0].network, 0);
    assert_eq!(regions[1].network, u128::from(regions[1].calls) * 1_000_000_000);
    // Of the calls that met no other one.
    near(regions[1].ttft.curve[0] - regions[0].ttft.curve[0], 0.1);
}

/// Noon is at 17 UTC in New York and at 11 UTC in Berlin, so that New York has the
/// sun from 14 to 2 UTC and the moon from 2 to 14.
#[test]
fn the_sun_is_followed_around_the_globe() {
    let lines = |serve: &str| {
        format!(
            "{SHARES}\nserve = \"{serve}\"\narrivals = {{ process = \"constant\", rate = \"6 /min\" }}"
        )
    };
    for (serve, in_us) in [("follow-the-sun", [2.0, 10.0]), ("follow-the-moon", [0.0, 12.0])] {
        let scenario = world("24 h", &lines(serve));
        let morning = world("12 h", &lines(serve));
        assert!((scenario.use_cases[0].expected_at(0) - 0.5).abs() < 1e-3);
        let share = |scenario: &Scenario| {
            let record = simulate(scenario);
            let sites = |site: usize| -> u64 {
                only(&record).regions.iter().map(|region| region.sites[site].calls).sum()
            };
            sites(0) as f64 / (sites(0) + sites(1)) as f64
        };
        let first = if serve == "follow-the-sun" { in_us[0] } else { 10.0 };
        assert!((share(&scenario) - 0.5).abs() < 1e-3);
        assert!((share(&morning) - first / 12.0).abs() < 2e-3, "{serve} {}", share(&morning));
    }
}

#[test]
fn a_full_pool_sends_calls_on() {
    let serve = |policy: &str, clients: u32| {
        let lines = format!(
            "regions = {{ us = 1 }}\nprompt_tokens = 300\nserve = {policy}\narrivals = {{ process = \
             \"closed-loop\", clients = {clients}, requests = 400 }}"
        );
        let record = simulate(&world("1 h", &lines));
        let served: Vec<u64> =
            only(&record).regions[0].sites.iter().map(|site| site.calls).collect();
        let most = record.timeline.pool(0).iter().map(|point| point.running + point.waiting).max();
        (served[0], served[1], most.unwrap())
    };
    // Four fit at home, or two where it counts as full at half.
    assert_eq!(serve("\"overflow\"", 4), (400, 0, 4));
    let (home, away, most) = serve("\"overflow\"", 7);
    assert!(home > away && away > 100 && most <= 4, "{home} {away} {most}");
    let (home, away, most) = serve("{ policy = \"overflow\", fill = 0.5 }", 4);
    assert!(home > away && away > 100 && most <= 2, "{home} {away} {most}");
    // Where both are full, one waits at home.
    let (home, away, most) = serve("\"overflow\"", 12);
    assert!(home > away && away > 0 && most > 4, "{home} {away} {most}");
}

#[test]
fn recorded_calls_and_clients_have_regions_too() {
    let clients = "arrivals = { process = \"closed-loop\", clients = 8, requests = 800 }";
    let record = simulate(&world("1 h", &format!("{SHARES}\n{clients}")));
    let calls: Vec<u64> = only(&record).regions.iter().map(|region| region.calls).collect();
    // Six clients and two, who wait in two pools.
    assert_eq!(calls.iter().sum::<u64>(), 800);
    assert!((1.6..3.0).contains(&(calls[0] as f64 / calls[1] as f64)), "{calls:?}");
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..2_000).map(|at| format!("{}.5,100,10\n", at / 4)).collect();
    std::fs::write(folder.path().join("t.csv"), format!("t,p,o\n{rows}")).unwrap();
    let trace = "trace = { path = \"t.csv\", format = \"csv\", columns = { time = \"t\", prompt_tokens = \
                 \"p\", output_tokens = \"o\" }, time_unit = \"s\" }";
    let text = format!(
        "{WORLD}[[use_case]]\nname = \"chat\"\nregions = {{ us = 0.75, eu = 0.25 }}\n{trace}\n"
    );
    let loaded =
        tokenmill::scenario::parse(&text, "s.toml", folder.path(), &Default::default()).unwrap();
    let record = simulate(&loaded.scenario);
    let calls: Vec<u64> = only(&record).regions.iter().map(|region| region.calls).collect();
    assert_eq!(calls.iter().sum::<u64>(), 2_000);
    assert!(
        (calls[0] as f64 - 1_500.0).abs() < 4.0 * (2_000.0 * 0.75 * 0.25_f64).sqrt(),
        "{calls:?}"
    );
}

/// Every dollar of every pool is some call's.
#[test]
fn calls_pay_for_the_pools_that_served_them() {
    let lines = format!(
        "{SHARES}\nserve = \"follow-the-sun\"\narrivals = {{ process = \"poisson\", rate = \"4 /min\" }}\n\
         [[use_case]]\nname = \"east-only\"\npool = \"east\"\narrivals = {{ process = \"poisson\", rate = \
         \"3 /min\" }}\nprompt_tokens = 900\noutput_tokens = 50"
    );
    let mut scenario = world("24 h", &lines);
    scenario.replications = 2;
    let summary = replicate(&scenario, Default::default(), |_| {}).summary;
    let paid: f64 = summary
        .use_cases
        .values()
        .map(|use_case| use_case.usd_per_call.unwrap().mean * use_case.calls as f64 / 2.0)
        .sum();
    let cost = summary.total.usd_per_hour.unwrap().mean * summary.measured_s / 3_600.0;
    assert!((paid / cost - 1.0).abs() < 1e-9, "{paid} of {cost}");
    let regions = &summary.use_cases["chat"].regions;
    let network = |name: &str| regions[name].network_s.as_ref().unwrap().mean.unwrap().mean;
    let away = |name: &str, pool: &str| regions[name].served_fraction[pool].unwrap().mean;
    near(network("us"), 0.1 * away("us", "east"));
    near(network("eu"), 0.1 * away("eu", "west"));
    assert_eq!(summary.use_cases["chat"].pool, "west, east");
}

/// A coordinator of three turns that sends two helpers of two turns after each but the
/// last; 3 + 2 x 2 x 2 calls a run.
const CREW: &str = r#"
[[agent]]
name = "x"
context = { global_tokens = 320, message_tokens = 100 }
turns = { count = 3, output_tokens = 20 }
children = { probability = 1.0, fan_out = [0.0, 1.0], agent = "y", summary_tokens = 30 }
tools = { calls = [1.0], class = [{ name = "t", latency = "10 ms", result_tokens = 40 }] }
[[agent]]
name = "y"
context = { global_tokens = 160, message_tokens = 50 }
turns = { count = 2, output_tokens = 10 }
"#;

/// The world with a third pool, which stands in no region, and such agents.
fn agents(duration: &str, lines: &str) -> Scenario {
    let pool = "[[pool]]\nname = \"apart\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n";
    let text = format!(
        "duration = \"{duration}\"{WORLD}{pool}[[use_case]]\nname = \"desk\"\nagent = \"x\"\n{lines}\n{CREW}"
    );
    load(&text).scenario
}

/// Calls by region and pool.
fn served(record: &RunRecord) -> Vec<Vec<u64>> {
    let of = |region: &RegionRecord| region.sites.iter().map(|site| site.calls).collect();
    only(record).regions.iter().map(of).collect()
}

fn on_the_way(record: &RunRecord) -> f64 {
    only(record).agents[0].whole().ticks[Part::Network as usize] as f64 / 1e10
}

const SESSIONS: &str =
    "regions = { us = 0.75, eu = 0.25 }\narrivals = { process = \"poisson\", rate = \"6 /min\" }";

#[test]
fn agents_and_their_helpers_are_served_where_their_users_are() {
    let record = simulate(&agents(
        "20 min",
        &format!("{SESSIONS}\nround_trip = \"30 ms\"\nserve = \"home\""),
    ));
    let calls = served(&record);
    assert_eq!((calls[0][1], calls[1][0]), (0, 0));
    assert_eq!([calls[0][0], calls[1][1]], [0, 1].map(|at| record.whole.pools[at].finished));
    let share = calls[0][0] as f64 / (calls[0][0] + calls[1][1]) as f64;
    assert!((0.6..0.9).contains(&share), "{share}");
    assert!(
        calls[0][0].is_multiple_of(11) && calls[1][1].is_multiple_of(11),
        "whole runs: {calls:?}"
    );
    let network = only(&record).regions.iter().map(|region| region.network).sum::<u128>();
    assert_eq!(network, 300_000_000 * u128::from(only(&record).calls));
    // Three of its own calls and two of the slower helper, twice.
    let runs = only(&record).agents[0].done as f64;
    let ways = on_the_way(&record) / runs / 0.03;
    assert!((5.0..=7.0).contains(&ways), "{ways}");
}

#[test]
fn an_agent_pays_the_way_to_the_only_pool_with_every_call() {
    let lines = "regions = { eu = 1 }\npool = \"west\"\narrivals = { process = \"closed-loop\", clients = 1, \
                 requests = 4 }";
    let near_by = lines.replace("eu = 1", "us = 1");
    let [far, home] = [lines, &near_by].map(|lines| simulate(&agents("1 h", lines)));
    assert_eq!((on_the_way(&home), only(&far).regions[0].network), (0.0, 44 * 1_000_000_000));
    // Each run is three calls long, and twice the two calls of a helper.
    near(on_the_way(&far), 4.0 * 7.0 * 0.1);
    let run_s = |record: &RunRecord| only(record).agents[0].latency.mean().unwrap() / 1e10;
    assert!(run_s(&far) - run_s(&home) > 0.3, "{} {}", run_s(&far), run_s(&home));
}

#[test]
fn helpers_that_a_full_pool_has_no_room_for_go_to_the_next() {
    let lines = "regions = { us = 1 }\nserve = { policy = \"overflow\", fill = 0.25 }\narrivals = { process = \
                 \"closed-loop\", clients = 1, requests = 20 }";
    let record = simulate(&agents("1 h", lines));
    let calls = served(&record);
    // Of two helpers at once one finds no room, twice a run. With its second call it is
    // behind the other, and back.
    assert_eq!(calls, [[20 * 9, 20 * 2]]);
    assert_eq!(only(&record).regions[0].network, 1_000_000_000 * u128::from(calls[0][1]));
}

#[test]
fn the_sun_takes_agents_along_between_their_turns() {
    let lines = format!("{SESSIONS}\nserve = \"follow-the-sun\"").replace("6 /min", "2 /min");
    let record = simulate(&agents("24 h", &lines));
    let calls = served(&record);
    let all: u64 = calls.iter().flatten().sum();
    let in_us = (calls[0][0] + calls[1][0]) as f64 / all as f64;
    assert!((in_us - 0.5).abs() < 0.03, "{in_us}");
    let away = calls[0][1] + calls[1][0];
    let network: u128 = only(&record).regions.iter().map(|region| region.network).sum();
    assert_eq!(network, 1_000_000_000 * u128::from(away));
}

/// A pool of helpers is theirs, wherever their user is: as far as its region, or, in
/// none, no farther than users are from their own.
#[test]
fn helpers_with_a_pool_of_their_own_go_there_from_everywhere() {
    let at = |pool: &str| {
        let lines = format!("{SESSIONS}\nround_trip = \"30 ms\"\npool = [\"west\", \"east\"]");
        simulate(&agents("20 min", &format!("{lines}\npools = {{ y = \"{pool}\" }}")))
    };
    let (east, apart) = (at("east"), at("apart"));
    let (calls, elsewhere) = (served(&east), served(&apart));
    // Three of eleven calls are the coordinator's.
    assert_eq!((calls[0][0] * 8, calls[1][0]), (calls[0][1] * 3, 0));
    let network = |record: &RunRecord| only(record).regions[0].network;
    let way = |count: u64, ms: u64| u128::from(count * ms) * 10_000_000;
    assert_eq!(network(&east), way(calls[0][0], 30) + way(calls[0][1], 130));
    assert_eq!((elsewhere[0][0] * 8, elsewhere[0][1]), (elsewhere[0][2] * 3, 0));
    assert_eq!((elsewhere[1][1] * 8, elsewhere[1][0]), (elsewhere[1][2] * 3, 0));
    assert_eq!(network(&apart), way(elsewhere[0][0] + elsewhere[0][2], 30));
}

#[test]
fn clients_of_agents_are_divided_among_regions() {
    let lines = "regions = { us = 0.75, eu = 0.25 }\narrivals = { process = \"closed-loop\", clients = 4, \
                 requests = 40 }";
    let record = simulate(&agents("1 h", lines));
    let calls = served(&record);
    assert_eq!(calls.iter().flatten().sum::<u64>(), 40 * 11);
    let ratio = calls[0][0] as f64 / calls[1][1] as f64;
    assert!((2.0..4.0).contains(&ratio), "{calls:?}");
}

/// Every dollar is some call's where helpers share their pool with others, too.
#[test]
fn helpers_pay_for_the_pool_that_served_them() {
    let others = "[[use_case]]\nname = \"chat\"\npool = \"east\"\nprompt_tokens = 500\noutput_tokens = 60\n\
                  arrivals = { process = \"poisson\", rate = \"6 /min\" }\n[[use_case]]\nname = \"night\"\n\
                  pool = [\"west\", \"east\"]\nprompt_tokens = 700\noutput_tokens = 50\nbatch = { every = \"10 min\", \
                  calls = 50, deadline = \"8 min\" }";
    let lines = "pool = \"west\"\npools = { y = \"east\" }\narrivals = { process = \"poisson\", rate = \"6 /min\" }";
    let mut scenario = agents("20 min", &format!("{lines}\n{others}"));
    scenario.replications = 2;
    let summary = replicate(&scenario, Default::default(), |_| {}).summary;
    let paid = |name: &str| {
        let use_case = &summary.use_cases[name];
        use_case.usd_per_call.unwrap().mean * use_case.calls as f64 / 2.0
    };
    let all: f64 = ["desk", "chat", "night"].map(paid).iter().sum();
    // Nobody is served apart.
    let cost = scenario.pools[..2].iter().map(|pool| pool.gpu_hour.usd.unwrap()).sum::<f64>();
    let cost = cost * summary.measured_s / 3_600.0;
    assert!((all / cost - 1.0).abs() < 1e-9, "{all} of {cost}");
    assert_eq!(summary.use_cases["desk"].pool, "west, east");
}

/// One region without a network is no region for agents either.
#[test]
fn agents_in_the_only_region_are_as_without() {
    let clients =
        "pool = \"west\"\narrivals = { process = \"closed-loop\", clients = 3, requests = 30 }";
    let one = simulate(&agents("1 h", &format!("{clients}\nregions = {{ us = 1 }}")));
    let none = simulate(&agents("1 h", clients));
    assert_eq!(one.digest, none.digest);
    assert_eq!(format!("{:?}", only(&one).agents), format!("{:?}", only(&none).agents));
}

#[test]
fn recorded_agents_have_regions_too() {
    let folder = tempfile::tempdir().unwrap();
    let call = |t: f64, n: u32| {
        format!(
            "{{\"t\": {t}, \"in\": {n}, \"out\": 9, \"hash_ids\": [1], \"stop\": \"tool_use\"}}"
        )
    };
    let helper = format!(
        "{{\"t\": 1, \"subagent_type\": \"y\", \"duration_ms\": 500, \"status\": \"completed\", \"requests\": [{}]}}",
        call(0.0, 70)
    );
    let line = format!(
        "{{\"block_size\": 64, \"requests\": [{}, {helper}, {}]}}\n",
        call(0.0, 80),
        call(3.0, 90)
    );
    std::fs::write(folder.path().join("t.jsonl"), line).unwrap();
    let text = format!(
        "duration = \"30 min\"{WORLD}[[use_case]]\nname = \"desk\"\nreplay = {{ path = \"t.jsonl\" }}\n{SESSIONS}\n\
         pools = {{ y = \"east\" }}\n"
    );
    let loaded =
        tokenmill::scenario::parse(&text, "s.toml", folder.path(), &Default::default()).unwrap();
    let record = simulate(&loaded.scenario);
    let calls = served(&record);
    assert_eq!((calls[0][0], calls[1][0]), (2 * calls[0][1], 0));
    assert!(calls[0][1] > 2 * calls[1][1] / 3 && calls[1][1] > 0, "{calls:?}");
    assert_eq!(only(&record).regions[0].network, 1_000_000_000 * u128::from(calls[0][1]));
}
