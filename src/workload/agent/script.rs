//! What the agents of one use case do next.

use super::actor::{Actor, Base, Place, branch};
use super::{Crew, Member};
use crate::catalog::{Agent, ChildOrder, Start, Tools};
use crate::kernel::Span;
use crate::random::{Component, Distribution, Stream, Streams, entity};
use crate::workload::content::{Author, Content, Strand};
use crate::workload::{Ask, Errand, Thinking};
use std::sync::Arc;

/// Writes the sessions of one use case.
#[derive(Clone, Debug)]
pub struct Script {
    use_case: u16,
    crew: Arc<Crew>,
    streams: Streams,
    entity: u64,
    parts: Vec<Part>,
    /// Share of each prompt that counts as found in the cache.
    cache_hit: Option<f64>,
    /// Strands begun so far, apart from the shared ones.
    begun: u64,
    /// Runs are one call each.
    answers_at_once: bool,
}

/// What the script knows of a member beside its program.
#[derive(Clone, Debug)]
struct Part {
    /// Tokens of its global segment.
    global: u32,
    /// Draws a group; `None` where there is one.
    popularity: Option<Distribution>,
    thinking: Option<Thinking>,
}

/// What an actor asks for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A turn.
    Turn(Ask),
    /// A summary of its context, before the turn.
    Compaction(Ask),
}

/// A tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Index of its class.
    pub class: u16,
    /// How long it takes, queueing apart.
    pub latency: Span,
    /// Tokens of its result, or of its error.
    pub tokens: u32,
    /// It fails.
    pub fails: bool,
}

/// What follows a model call.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Its tool calls.
    pub tools: Vec<ToolCall>,
    /// Sub-agents to start, and how they follow each other.
    pub children: u32,
}

/// Strands that are shared have numbers above those of single actors.
const SHARED: u64 = 1 << 43;
const GROUP: u64 = 1 << 42;

impl Script {
    /// The script of the use case called `name`, which is at index `at` of the scenario.
    pub fn new(
        at: u16,
        name: &str,
        crew: &Arc<Crew>,
        cache_hit: Option<f64>,
        streams: Streams,
    ) -> Script {
        let entity = entity(name);
        let part = |(at, member): (usize, &Member)| {
            let Agent { context, thinking, .. } = &*member.agent;
            let thinking = thinking.as_ref();
            let mut stream = streams.stream(Component::Segment, entity, at as u64);
            let groups = u64::from(context.groups);
            Part {
                global: context.global.as_ref().map_or(0, |law| law.sample_tokens(&mut stream)),
                popularity: (groups > 1).then(|| {
                    Distribution::zipf(groups, context.zipf).expect("checked by the catalog")
                }),
                thinking: thinking.map(|spec| Thinking::new(spec, streams, entity)),
            }
        };
        let parts = crew.members.iter().enumerate().map(part).collect();
        Script {
            use_case: at,
            crew: crew.clone(),
            streams,
            entity,
            parts,
            cache_hit,
            begun: 0,
            answers_at_once: false,
        }
    }

    /// Leaves out what makes agents of models: each run is one call, whose answer is
    /// the first that it would have had, without tools, sub-agents and compaction.
    pub fn answer_at_once(&mut self) {
        self.answers_at_once = true;
    }

    /// Leaves thinking out: calls ask for their answers alone.
    pub fn silence_thinking(&mut self) {
        let parts = self.parts.iter_mut();
        parts.filter_map(|part| part.thinking.as_mut()).for_each(Thinking::silence);
    }

    /// The crew.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }

    /// The program of an actor.
    #[inline]
    pub fn agent(&self, actor: &Actor) -> &Agent {
        &self.crew.members[usize::from(actor.member)].agent
    }

    /// Tokens of the segment that all of an actor's kind begin with.
    pub(super) fn global_tokens(&self, actor: &Actor) -> u32 {
        self.parts[usize::from(actor.base.member)].global
    }

    /// Which of the pools of its use case serves an actor; `None`: whichever its
    /// user's calls are sent to.
    #[inline]
    pub fn site(&self, actor: &Actor) -> Option<u8> {
        self.crew.members[usize::from(actor.member)].site.or(actor.errand.site)
    }

    /// Session `number`, before its first run.
    pub fn session(&mut self, number: u64, blank: Content) -> Actor {
        let origin = branch(self.entity, number);
        let mut actor = self.fresh(0, 0, number, origin, blank);
        let mut stream = self.stream(Component::Runs, origin);
        actor.runs = self.agent(&actor).runs.sample_tokens(&mut stream).min(Agent::RUNS_MAX);
        actor
    }

    /// Sub-agent `index` of the present turn of `parent`, at the start of its run.
    pub fn child(&mut self, parent: &Actor, index: u32, mut blank: Content) -> Actor {
        let member =
            self.crew.members[usize::from(parent.member)].child.expect("it has sub-agents");
        let origin = branch(parent.item(), u64::from(index));
        let children = self.agent(parent).children.as_ref().expect("it has sub-agents");
        let mut child = match children.start {
            Start::Spawn => self.fresh(member, parent.depth + 1, parent.number, origin, blank),
            Start::Fork => {
                let own = self.strand();
                blank.copy(parent.content.as_ref().expect("no call carries it"));
                blank.turn_off(parent.context, own);
                let base = parent.base;
                let at = (member, parent.depth + 1, parent.number);
                let mut child = self.blank(at, origin, base, blank);
                (child.context, child.own) = (parent.context, own);
                child.forked_at = parent.context;
                child.conversation = parent.conversation;
                child
            }
        };
        child.errand = parent.errand;
        self.begin_run(&mut child);
        child
    }

    /// An actor that knows the segments of its kind.
    fn fresh(
        &mut self,
        member: u16,
        depth: u32,
        number: u64,
        origin: u64,
        content: Content,
    ) -> Actor {
        let own = self.strand();
        let part = &self.parts[usize::from(member)];
        let mut stream = self.stream(Component::Group, origin);
        let group = part.popularity.as_ref().map_or(0, |law| law.sample(&mut stream) as u32 - 1);
        let base = Base { member, group, tokens: part.global + self.group_tokens(member, group) };
        let mut actor = self.blank((member, depth, number), origin, base, content);
        actor.own = own;
        self.go_back(&mut actor);
        let mut stream = self.stream(Component::Prompt, origin);
        let session = self.agent(&actor).context.session.as_ref();
        actor.context += session.map_or(0, |law| law.sample_tokens(&mut stream));
        actor
    }

    fn blank(
        &self,
        (member, depth, number): (u16, u32, u64),
        origin: u64,
        base: Base,
        content: Content,
    ) -> Actor {
        Actor {
            use_case: self.use_case,
            member,
            depth,
            errand: Errand::default(),
            number,
            run: 0,
            runs: 1,
            turn: 0,
            turns: 0,
            retries: 0,
            attempt: 0,
            compactions: 0,
            context: 0,
            forked_at: 0,
            base,
            conversation: origin | 1,
            origin,
            key: origin,
            own: Strand::NONE,
            content: Some(content),
            place: Place::default(),
        }
    }

    /// Tokens of a group's segment: one text has one length, whoever uses it.
    fn group_tokens(&self, member: u16, group: u32) -> u32 {
        let agent = &self.crew.members[usize::from(member)].agent;
        let item = u64::from(member) << 32 | u64::from(group) | 1 << 63;
        let mut stream = self.stream(Component::Segment, item);
        agent.context.group.as_ref().map_or(0, |law| law.sample_tokens(&mut stream))
    }

    /// The context becomes the shared segments alone; `own` follows them.
    fn go_back(&self, actor: &mut Actor) {
        let Base { member, group, tokens } = actor.base;
        let global = self.global_tokens(actor);
        let content = actor.content.as_mut().expect("no call carries it");
        let shared = |number| Strand::new(self.use_case, Author::Group, SHARED | number);
        content.start(shared(u64::from(member)));
        content.turn_off(global, shared(GROUP | u64::from(member) << 24 | u64::from(group)));
        content.turn_off(tokens, actor.own);
        actor.context = tokens;
    }

    fn strand(&mut self) -> Strand {
        self.begun += 1;
        assert!(self.begun < GROUP, "so many strands are beyond any run");
        Strand::new(self.use_case, Author::Agent, self.begun)
    }

    fn stream(&self, component: Component, item: u64) -> Stream {
        self.streams.stream(component, self.entity, item)
    }

    /// The present run of an actor begins: its user, or its parent, speaks.
    pub fn begin_run(&self, actor: &mut Actor) {
        actor.key = branch(actor.origin, u64::from(actor.run));
        (actor.turn, actor.attempt, actor.retries) = (0, 0, 0);
        let agent = self.agent(actor);
        let mut stream = self.stream(Component::Turns, actor.key);
        let turns = agent.turns.sample_tokens(&mut stream).min(Agent::TURNS_MAX);
        let mut stream = self.stream(Component::Prompt, actor.key);
        let message = agent.context.message.sample_tokens(&mut stream);
        actor.turns = if self.answers_at_once { 1 } else { turns };
        actor.context = actor.context.saturating_add(message);
    }

    /// What an actor asks for now, and what its call says.
    pub fn next(&mut self, actor: &mut Actor) -> (Next, Content) {
        let mut content = actor.content.take().expect("no call carries it");
        let agent = self.agent(actor);
        if let Some(compaction) = &agent.compaction
            && actor.context > compaction.above.max(actor.base.tokens)
            && !self.answers_at_once
        {
            let item = branch(actor.origin, u64::from(actor.compactions));
            let mut stream = self.stream(Component::Compaction, item);
            let output = compaction.output.sample_tokens(&mut stream);
            return (Next::Compaction(self.ask(actor, Ask::plain(actor.context, output))), content);
        }
        let mut stream = self.stream(Component::Output, actor.item());
        let mut ask = Ask::plain(actor.context, agent.output.sample_tokens(&mut stream));
        let is_kept = agent.thinking.as_ref().is_some_and(|thinking| thinking.is_kept);
        if let Some(thinking) = &self.parts[usize::from(actor.member)].thinking {
            ask = thinking.think(actor.item(), ask);
            if ask.thinking > 0 && !is_kept {
                let thought = self.strand();
                content.turn_off(ask.prompt, thought);
            }
        }
        (Next::Turn(self.ask(actor, ask)), content)
    }

    fn ask(&self, actor: &Actor, ask: Ask) -> Ask {
        debug_assert!(actor.context > 0);
        let given = self.cache_hit.map(|share| {
            // `as` truncates, so a half more rounds to the nearest.
            ((f64::from(ask.prompt) * share + 0.5) as u32).min(ask.prompt - 1)
        });
        Ask { given, ..ask }
    }

    /// A call has not been answered, that of a turn or of a compaction, and gives
    /// back what it said. What it would have answered will never be repeated.
    pub fn given_up(&mut self, actor: &mut Actor, ask: Ask, content: Content, compacts: bool) {
        self.take_back(actor, ask, content);
        actor.own = self.strand();
        let content = actor.content.as_mut().expect("it was taken back");
        content.turn_off(ask.prompt, actor.own);
        actor.attempt += u32::from(!compacts);
        actor.retries += 1;
    }

    /// A summary was answered: it takes the place of the context.
    pub fn compacted(&mut self, actor: &mut Actor, content: Content) {
        let item = branch(actor.origin, u64::from(actor.compactions));
        let mut stream = self.stream(Component::Compaction, item ^ 1);
        let compaction = self.agent(actor).compaction.as_ref().expect("it was asked for");
        let keep = compaction.keep.sample_tokens(&mut stream);
        actor.compactions += 1;
        actor.own = self.strand();
        actor.content = Some(content);
        self.go_back(actor);
        actor.forked_at = 0;
        actor.context += keep;
    }

    /// A turn was answered. Writes what it leads to, unless it is the last, into `plan`.
    pub fn answered(&self, actor: &mut Actor, ask: Ask, content: Content, plan: &mut Plan) {
        let is_kept = self.agent(actor).thinking.as_ref().is_some_and(|it| it.is_kept);
        self.take_back(actor, ask, content);
        let repeated = if is_kept { ask.output } else { ask.output - ask.thinking };
        actor.context = ask.prompt.saturating_add(repeated);
        plan.tools.clear();
        plan.children = 0;
        if actor.is_in_last_turn() {
            return;
        }
        let agent = self.agent(actor);
        if let Some(tools) = &agent.tools {
            let mut stream = self.stream(Component::Tools, actor.item());
            let calls = tools.calls.sample(&mut stream) as u32;
            plan.tools.extend((0..calls).map(|_| tool_call(tools, &mut stream)));
        }
        if let Some(children) = &agent.children
            && actor.depth < self.crew.members[0].agent.limits.depth
        {
            let mut stream = self.stream(Component::Children, actor.item());
            if stream.unit() < children.probability {
                plan.children = children.fan_out.sample(&mut stream) as u32;
            }
        }
    }

    fn take_back(&self, actor: &mut Actor, ask: Ask, mut content: Content) {
        let is_kept = self.agent(actor).thinking.as_ref().is_some_and(|it| it.is_kept);
        if ask.thinking > 0 && !is_kept {
            content.turn_back();
        }
        actor.content = Some(content);
    }

    /// Results have come: tools returned `tokens`, and one of them failed or none.
    /// The turn is done, or will be repeated.
    pub fn joined(&self, actor: &mut Actor, tokens: u32, failed: bool) {
        actor.context = actor.context.saturating_add(tokens);
        if failed {
            actor.attempt += 1;
            actor.retries += 1;
        } else {
            actor.turn += 1;
            actor.attempt = 0;
        }
    }

    /// Tokens that sub-agent `child` reports to its parent.
    pub fn summary(&self, parent: &Actor, child: &Actor) -> u32 {
        let children = self.agent(parent).children.as_ref().expect("it has sub-agents");
        children.summary.sample_tokens(&mut self.stream(Component::Children, child.origin))
    }

    /// How the sub-agents of `actor` follow each other.
    pub fn order(&self, actor: &Actor) -> ChildOrder {
        self.agent(actor).children.as_ref().map_or(ChildOrder::Parallel, |it| it.order)
    }

    /// The pause between the end of the present run and the next.
    pub fn gap(&self, actor: &Actor) -> Span {
        let Some(gap) = &self.agent(actor).gap else { return Span::ZERO };
        Span::from_seconds(gap.sample(&mut self.stream(Component::Think, actor.key)))
    }
}

fn tool_call(tools: &Tools, stream: &mut Stream) -> ToolCall {
    let class = if tools.classes.len() > 1 { tools.mix.sample(stream) as u16 } else { 0 };
    let fails = tools.failure > 0.0 && stream.unit() < tools.failure;
    let spec = &tools.classes[usize::from(class)];
    let latency = Span::from_seconds(spec.latency.sample(stream));
    let result = if fails { &tools.error } else { &spec.result };
    ToolCall { class, latency, tokens: result.sample_tokens(stream), fails }
}
