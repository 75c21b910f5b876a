use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A lane whose `notify` can be waited for.
struct Watched {
    lane: Lane<u32>,
    woken: Receiver<()>,
    seen: Vec<(Rev, JobEvent<u32>)>,
}

impl Watched {
    fn new() -> Self {
        let (tell, woken) = channel();
        let lane = Lane::new("test", move || _ = tell.send(()));
        Self { lane, woken, seen: Vec::new() }
    }

    /// Reads events until `enough` says so; each look follows a wake-up.
    fn until(&mut self, enough: impl Fn(&[(Rev, JobEvent<u32>)]) -> bool) {
        while !enough(&self.seen) {
            self.woken.recv().unwrap();
            self.seen.extend(self.lane.poll());
        }
    }

    fn until_all_ended(&mut self, count: usize) {
        self.until(|seen| seen.iter().filter(|(_, event)| event.is_terminal()).count() >= count);
    }

    fn ends(&self) -> Vec<(Rev, &'static str)> {
        self.seen.iter().filter(|(_, e)| e.is_terminal()).map(|(rev, e)| (*rev, name(e))).collect()
    }
}

fn name(event: &JobEvent<u32>) -> &'static str {
    match event {
        JobEvent::Partial(_) => "partial",
        JobEvent::Done(_) => "done",
        JobEvent::Cancelled => "cancelled",
        JobEvent::Failed(_) => "failed",
        JobEvent::Panicked(_) => "panicked",
    }
}

/// A job that says it has begun and then waits for `go`, whether or not it is asked to stop.
#[expect(clippy::type_complexity, reason = "a job and its two gates; a closure has no name to give")]
fn gated() -> (impl FnOnce(&JobCtl<u32>) -> JobResult<u32> + Send, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (go, may_go) = channel();
    let job = move |ctl: &JobCtl<u32>| {
        begun.send(())?;
        may_go.recv()?;
        ctl.check_stop()?;
        Ok(0)
    };
    (job, has_begun, go)
}

#[test]
fn the_last_submission_wins_and_the_ones_between_never_run() {
    let mut watched = Watched::new();
    let (job, has_begun, go) = gated();
    watched.lane.submit(1, job);
    has_begun.recv().unwrap();
    watched.lane.submit(2, |_| panic!("was replaced before it began"));
    watched.lane.submit(3, |_| panic!("was replaced before it began"));
    watched.lane.submit(4, |_| Ok(44));
    go.send(()).unwrap();
    watched.until_all_ended(4);
    assert_eq!(watched.ends(), [(2, "cancelled"), (3, "cancelled"), (1, "cancelled"), (4, "done")]);
    assert!(matches!(watched.seen.last(), Some((4, JobEvent::Done(44)))));
    assert!(!watched.lane.is_busy());
}

#[test]
fn every_submission_ends_exactly_once_and_nothing_follows_its_end() {
    const COUNT: u64 = 500;
    let mut watched = Watched::new();
    for rev in 0..COUNT {
        watched.lane.submit(rev, move |ctl| {
            for i in 0..3 {
                ctl.partial(i);
                ctl.check_stop()?;
            }
            match rev % 3 {
                0 => Ok(7),
                1 => Err("no such thing".into()),
                _ => panic!("on purpose"),
            }
        });
        let new = watched.lane.poll();
        watched.seen.extend(new);
    }
    watched.until_all_ended(COUNT as usize);
    let mut ended: BTreeMap<Rev, u32> = BTreeMap::new();
    for (rev, event) in &watched.seen {
        assert!(!ended.contains_key(rev), "{event:?} after the end of {rev}");
        if event.is_terminal() {
            *ended.entry(*rev).or_default() += 1;
        }
    }
    assert_eq!(ended.len(), COUNT as usize);
    assert!(!watched.lane.is_busy() && watched.lane.poll().is_empty());
}

#[test]
fn a_panic_is_reported_with_its_message_and_the_lane_lives_on() {
    let mut watched = Watched::new();
    watched.lane.submit(1, |_| panic!("index {} is out of range", 9));
    watched.until_all_ended(1);
    watched.lane.submit(2, |_| Ok(5));
    watched.until_all_ended(2);
    let [(1, JobEvent::Panicked(message)), (2, JobEvent::Done(5))] = &watched.seen[..] else {
        panic!("{:?}", watched.seen)
    };
    assert_eq!(message, "index 9 is out of range");
}

#[test]
fn an_error_arrives_with_its_text() {
    let lane = Lane::<u32>::inline();
    lane.submit(1, |_| Err("the model does not fit".into()));
    let events = lane.poll();
    let [(1, JobEvent::Failed(error))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(error.to_string(), "the model does not fit");
}

#[test]
fn a_newer_submission_does_not_starve_the_first_answer_of_a_job_that_asks_for_it() {
    let mut watched = Watched::new();
    let (begun, has_begun) = channel();
    let (go, may_go) = channel::<()>();
    watched.lane.submit(1, move |ctl| {
        ctl.honour_stop_after_first_partial();
        begun.send(())?;
        may_go.recv()?;
        ctl.check_stop()?;
        ctl.partial(1);
        ctl.check_stop()?;
        Ok(2)
    });
    has_begun.recv().unwrap();
    watched.lane.submit(2, |_| Ok(9));
    go.send(()).unwrap();
    watched.until_all_ended(2);
    let told: Vec<_> = watched.seen.iter().map(|(rev, event)| (*rev, name(event))).collect();
    assert_eq!(told, [(1, "partial"), (1, "cancelled"), (2, "done")]);
}

#[test]
fn dropping_the_lane_stops_its_job_and_waits_for_it() {
    let (begun, has_begun) = channel();
    let (ended, has_ended) = channel();
    let lane = Lane::<u32>::new("test", || ());
    lane.submit(1, move |ctl| {
        ctl.honour_stop_after_first_partial();
        begun.send(())?;
        while !ctl.should_stop() {
            std::thread::yield_now();
        }
        ended.send(())?;
        Ok(0)
    });
    has_begun.recv().unwrap();
    lane.submit(2, |_| panic!("never runs"));
    drop(lane);
    // Joined: the message is already there.
    assert_eq!(has_ended.try_recv(), Ok(()));
}

#[test]
fn cancelling_ends_the_running_and_the_waiting_job() {
    let mut watched = Watched::new();
    let (job, has_begun, go) = gated();
    watched.lane.submit(1, job);
    has_begun.recv().unwrap();
    watched.lane.submit(2, |_| Ok(1));
    watched.lane.cancel();
    go.send(()).unwrap();
    watched.until_all_ended(2);
    assert_eq!(watched.ends(), [(2, "cancelled"), (1, "cancelled")]);
}

#[test]
fn partial_answers_nobody_fetched_are_replaced_by_the_latest() {
    let lane = Lane::inline();
    lane.submit(3, |ctl| {
        (0..1000).for_each(|i| ctl.partial(i));
        Ok(1000)
    });
    assert!(matches!(lane.poll()[..], [(3, JobEvent::Partial(999)), (3, JobEvent::Done(1000))]));
}

#[test]
fn progress_is_seen_while_the_job_runs_and_gone_after() {
    let mut watched = Watched::new();
    let (begun, has_begun) = channel();
    let (go, may_go) = channel::<()>();
    watched.lane.submit(8, move |ctl| {
        ctl.progress(3, 4, "trials");
        begun.send(())?;
        may_go.recv()?;
        Ok(0)
    });
    has_begun.recv().unwrap();
    let (rev, progress) = watched.lane.progress().unwrap();
    assert_eq!((rev, progress.share(), progress.what.as_str()), (8, Some(0.75), "trials"));
    go.send(()).unwrap();
    watched.until_all_ended(1);
    assert_eq!(watched.lane.progress(), None);
}
