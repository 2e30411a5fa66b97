//! Users of several regions: when they call, how far they are, and who serves them.

mod common;

use common::{load, simulate};
use tokenmill::kernel::{Span, Time};
use tokenmill::metrics::{RunRecord, UseCaseRecord};
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
