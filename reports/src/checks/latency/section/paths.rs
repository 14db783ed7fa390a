//! Puts the part about latency together, a block for each path of the record.

use lastmeter_params::{Node, NodeValue, Table, TableEntry};
use lastmeter_text::number;
use lastmeter_units::SimTime;
use serde::Serialize;

use super::classes::{self, Row as ClassRow, Statement};
use super::declared::{CheckChip, Declared, PublishedRow};
use super::ecdf::{Ecdf, steps_of};
use super::floor::Panel;
use super::legs::{self, Legs};
use super::percentile::{Percentile, PercentilePlot, shares};
use super::scatter::{Injection, LimitLine, Marker, Marks, Message, Scatter};
use super::tukey::BoxPlot;
use super::words::{duration, nanoseconds, percent};
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::latency::{
    Analysis, INFINITE, LegFigures, Population, Validity, analyse, describe, requirement_tables,
};
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::{Fact, grouped};
use crate::render::pictures::{label, tables, until};
use crate::render::template::fill;
use lastmeter_record::{
    Event, EventKind, LatencyPath, LatencyRow, RecordError, RunFacts, RunReader, TimeMode, field,
};

const TEMPLATE: &str = include_str!("../section.html");
/// The most paths with pictures; the tables to download have all of them.
const BLOCKS_MAX: usize = 6;

const PERCENTILES: [f64; 8] = [0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 0.999, 0.9999];

#[derive(Serialize)]
struct Section {
    modelled: bool,
    blocks: Vec<Block>,
    more: usize,
    published: Vec<PublishedRow>,
    published_links: String,
    floor: Option<Panel>,
    links: String,
}

/// One path in the page.
#[derive(Default, Serialize)]
struct Block {
    title: String,
    span: String,
    checks: Vec<CheckChip>,
    statements: Vec<Statement>,
    facts: Vec<Fact>,
    notes: Vec<String>,
    wide: Vec<Picture>,
    pictures: Vec<Picture>,
    legs: Vec<LegRow>,
    edition: String,
    coverages: Vec<String>,
    classes: Vec<ClassRow>,
    classes_note: String,
    quantiles: Vec<QuantileRow>,
}

#[derive(Serialize)]
struct LegRow {
    whole: bool,
    colour: Option<usize>,
    name: String,
    from: &'static str,
    to: &'static str,
    n: String,
    p50: String,
    p99: String,
    max: String,
}

#[derive(Serialize)]
struct QuantileRow {
    percentile: String,
    latency: String,
    bound: String,
}

struct Tables {
    classes: Csv,
    quantiles: Csv,
    legs: Csv,
}

/// The section; `None` if the run does not record latency.
pub(in super::super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let reader = input.reader;
    let facts = reader.facts();
    // What cannot be read is reported at the top of the page; here is what there is.
    let declared = Declared::of(input.judged(), &[]);
    let analyses = analyse(reader, declared.warm_up_ns(), declared.stall_ns);
    let Ok(mut analyses) = analyses else { return Ok(None) };
    if reader.latency()?.is_none() {
        return Ok(None);
    }
    let paths: Vec<String> = analyses.iter().map(|analysis| analysis.path.clone()).collect();
    let declared = Declared::of(input.judged(), &paths);
    // What is judged first, commands last.
    analyses.sort_by_key(|analysis| {
        let Analysis { path, population, .. } = analysis;
        let is_judged = !declared.coverages(path, population.span).is_empty();
        (!is_judged, path == LatencyPath::COMMAND, path.clone())
    });
    let validity = Validity::of(facts);
    let marks = marks(reader, &analyses)?;
    let injections = injections(facts, (&input.collected.events, &input.scenario.document));
    let mut tables = Tables {
        classes: Csv::new(classes::COLUMNS),
        quantiles: Csv::new(QUANTILE_COLUMNS),
        legs: Csv::new(Legs::COLUMNS),
    };
    let mut blocks = Vec::new();
    for (place, (analysis, marks)) in analyses.iter().zip(&marks).enumerate() {
        let path = Path {
            analysis,
            marks,
            validity: &validity,
            injections: &injections,
            declared: &declared,
            facts,
        };
        path.tables(&mut tables);
        if place < BLOCKS_MAX {
            blocks.push(path.block(place, figures));
        }
    }
    let published = declared.published_table();
    let published_links = published.map(|table| table.keep(figures)).unwrap_or_default();
    let floor = facts.real_time.as_ref().map(|real| Panel::of(real, &validity, figures));
    let section = Section {
        modelled: validity.modelled,
        blocks,
        more: analyses.len().saturating_sub(BLOCKS_MAX),
        published: declared.published,
        published_links,
        floor,
        links: tables.finish(figures),
    };
    let evidence = match facts.time {
        TimeMode::Real => "measured",
        TimeMode::Virtual => "modelled",
    };
    let html = fill("latency.html", TEMPLATE, &section)?;
    Ok(Some(SectionHtml { html, evidence: Some(evidence) }))
}

impl Tables {
    /// Keeps the tables, and gives the links to them.
    fn finish(self, figures: &mut Vec<Figure>) -> String {
        let mut links = Vec::new();
        for (name, csv) in
            [("classes", self.classes), ("quantiles", self.quantiles), ("legs", self.legs)]
        {
            let table = Figure::table(format!("latency-{name}"), csv.finish());
            links.push(format!("{name} {}", table.keep(figures)));
        }
        links.join(", ")
    }
}

const QUANTILE_COLUMNS: &str = "path,from,to,percentile,n,lost,latency_ms,bound_95_ms,exact";

/// What is drawn of each path's messages, in one pass over the record.
fn marks(reader: &RunReader, analyses: &[Analysis]) -> Result<Vec<Marks>, RecordError> {
    let marker = |analysis: &Analysis| {
        let population = &analysis.population;
        let n = population.n() + population.warm_up.n() + population.outside;
        let fence = analysis.tukey.map(|found| found.q3_ns + 1.5 * (found.q3_ns - found.q1_ns));
        Marker::new(n, population.window.to_ns, fence)
    };
    let mut markers: Vec<Marker> = analyses.iter().map(marker).collect();
    if let Some(mut rows) = reader.latency()? {
        while let Some(row) = rows.next_row()? {
            let place = analyses.iter().position(|analysis| analysis.path == row.path);
            if let Some(place) = place {
                markers[place].push(message(&analyses[place].population, &row));
            }
        }
    }
    Ok(markers.into_iter().map(Marker::finish).collect())
}

fn message(population: &Population, row: &LatencyRow<'_>) -> Message {
    let (span, window) = (population.span, population.window);
    let at_ns = row.at(lastmeter_record::Point::Intended).unwrap_or(0);
    let last_ns = window.to_ns.saturating_add(population.grace_ns);
    let came = row.at(span.to).is_some_and(|at| at <= last_ns);
    Message {
        at_ns,
        delay_ns: span.delay(row).filter(|_| came),
        copies: row.copies,
        judged: (window.from_ns..=window.to_ns).contains(&at_ns),
    }
}

/// What the bench did during the run; a killed process is away until it is there again.
fn injections(facts: &RunFacts, (events, document): (&[(u64, Event)], &Table)) -> Vec<Injection> {
    let tables: Vec<&Table> = tables(document, "inject").collect();
    let since = |time: SimTime| (time - facts.start).as_seconds_f64();
    let mut injections = Vec::new();
    for (place, (_, event)) in events.iter().enumerate() {
        if ![EventKind::Inject, EventKind::Kill, EventKind::Interrupted].contains(&event.kind) {
            continue;
        }
        let until = until(&events[place..]);
        let from_s = since(event.time);
        // Links have the place of their injection in the scenario.
        let place = event.number(field::INJECTION).and_then(|place| usize::try_from(place).ok());
        let text = match place.and_then(|place| tables.get(place)).map(|table| condensed(table)) {
            Some(more) if !more.is_empty() => format!("{}: {more}", label(event)),
            _ => label(event),
        };
        injections.push(Injection { from_s, to_s: until.map_or(from_s, since).max(from_s), text });
    }
    injections
}

/// The keys of an injection beside what its mark shows anyway: `how = "reset", for = "3 s"` is
/// `reset`.
fn condensed(table: &Table) -> String {
    let shown = |node: &Node| match &node.value {
        NodeValue::String(text) => text.clone(),
        NodeValue::Integer(number) => number.to_string(),
        NodeValue::Float(value) => number(*value),
        NodeValue::Boolean(flag) => flag.to_string(),
        _ => String::new(),
    };
    let part = |entry: &TableEntry| {
        let value = match &entry.node.value {
            NodeValue::Array(list) => {
                let more = if list.len() > 1 { " …" } else { "" };
                format!("{}{more}", list.first().map(shown).unwrap_or_default())
            }
            _ => shown(&entry.node),
        };
        match entry.key.as_str() {
            "name" | "kind" | "link" | "target" | "device" | "for" | "at" => None,
            "how" | "devices" => Some(value),
            key => Some(format!("{} {value}", key.replace('_', " "))),
        }
    };
    table.entries.iter().filter_map(part).collect::<Vec<_>>().join(", ")
}

struct Path<'a> {
    analysis: &'a Analysis,
    marks: &'a Marks,
    validity: &'a Validity,
    injections: &'a [Injection],
    declared: &'a Declared,
    facts: &'a RunFacts,
}

impl Path<'_> {
    fn whole(&self) -> LegFigures {
        let Analysis { population, delays, .. } = self.analysis;
        let at = |share: f64| delays.quantile(share).unwrap_or(INFINITE);
        LegFigures {
            span: population.span,
            n: delays.n(),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: at(1.0),
        }
    }

    fn legs(&self) -> Legs<'_> {
        Legs { parts: &self.analysis.legs, whole: self.whole() }
    }

    /// Its lines in the tables of all paths.
    fn tables(&self, tables: &mut Tables) {
        let Analysis { path, population, delays, .. } = self.analysis;
        classes::lines(self.analysis, self.validity, &mut tables.classes);
        self.legs().lines(path, &mut tables.legs);
        let span = population.span;
        let ends = [0.0].into_iter().chain(PERCENTILES).chain([1.0]);
        for share in ends {
            let Some(one) = Percentile::of(delays, share) else { continue };
            tables.quantiles.line(
                &[path, span.from.word(), span.to.word()],
                &[
                    100.0 * share,
                    delays.n() as f64,
                    delays.infinite() as f64,
                    nanoseconds(one.delay) / 1e6,
                    one.bound.map_or(f64::NAN, |bound| nanoseconds(bound) / 1e6),
                    f64::from(u8::from(delays.is_exact())),
                ],
            );
        }
    }

    fn block(&self, place: usize, figures: &mut Vec<Figure>) -> Block {
        let Analysis { path, population, .. } = self.analysis;
        let table = &requirement_tables()[0];
        let slug = slug(path, place);
        let lines = self.declared.lines(path, population.span);
        let block = Block {
            title: title(path),
            span: format!("{} to {}", population.span.from.word(), population.span.to.word()),
            checks: self.declared.chips(path, population.span),
            statements: classes::statements(self.analysis, self.validity),
            facts: self.facts(),
            notes: self.notes(),
            legs: self.leg_rows(),
            ..Block::default()
        };
        // What was not measured is not shown as lost.
        if population.is_unmeasured() {
            return block;
        }
        Block {
            wide: vec![self.scatter(&slug, &lines, figures)],
            pictures: self.pictures(&slug, &lines, figures),
            edition: table.edition.clone(),
            coverages: classes::coverages(),
            classes: classes::rows(self.analysis, self.validity),
            classes_note: classes::note(self.analysis, self.validity),
            quantiles: self.quantiles(),
            ..block
        }
    }

    /// Who is counted, and who is not.
    fn facts(&self) -> Vec<Fact> {
        let Analysis { population, delays, .. } = self.analysis;
        let share = |count: u64| {
            if count == 0 {
                return "none".to_owned();
            }
            let share = percent(count as f64 / population.n().max(1) as f64);
            format!("{} ({share})", grouped(count))
        };
        let figure = |share| match delays.quantile(share) {
            Some(INFINITE) => "infinite: lost".to_owned(),
            Some(delay) => duration(delay as f64),
            None => String::new(),
        };
        let longest = population.worst().map(|worst| duration(worst.delay as f64));
        let mut list = vec![
            Fact::new("messages due", grouped(population.n())),
            Fact::new("senders", grouped(population.devices().len() as u64)),
        ];
        if population.is_unmeasured() {
            return list;
        }
        list.extend([
            Fact::new("lost", share(population.lost)),
            Fact::new("too late", share(population.too_late)),
            Fact::new("duplicates", share(population.duplicated)),
            Fact::new("median", figure(0.5)),
            Fact::new("p99", figure(0.99)),
            Fact::new("longest that came", longest.unwrap_or_default()),
        ]);
        if let Some(real) = &self.facts.real_time
            && LatencyPath::observer_of(&self.analysis.path).is_some()
        {
            list.push(Fact::new("out of order", share(real.reordered)));
        }
        if population.outside > 0 {
            list.push(Fact::new("due after the end", grouped(population.outside)));
        }
        if population.early > 0 {
            list.push(Fact::new("published before due", share(population.early)));
        }
        list.retain(|fact| !fact.is_empty());
        list
    }

    /// What else has to be known of the population.
    fn notes(&self) -> Vec<String> {
        let Analysis { population, from_published, .. } = self.analysis;
        let mut notes = vec![self.warm_up()];
        if let Some(published) = from_published {
            notes.push(format!(
                "From the instant of publishing instead of the intended one: median {}, p99 {}.",
                duration(nanoseconds(published.p50_ns)),
                duration(nanoseconds(published.p99_ns))
            ));
        }
        if self.declared.has_other_warm_ups() {
            notes.push(
                "The checks give several warm-ups; what is shown here has the default one."
                    .to_owned(),
            );
        }
        if population.is_unmeasured() {
            notes.push(format!(
                "Messages came, but none has an instant at `{}`: this path was not measured.",
                population.span.to.word()
            ));
        }
        if !self.analysis.delays.is_exact() {
            notes.push(
                "So many messages are kept as a histogram of three digits: percentiles are right \
                 to 0.1 %, counts are exact, and there is no box plot."
                    .to_owned(),
            );
        }
        notes
    }

    fn warm_up(&self) -> String {
        let population = &self.analysis.population;
        let (window, warm_up) = (population.window, &population.warm_up);
        if window.from_ns == 0 && warm_up.n() == 0 {
            return "No warm-up was left out.".to_owned();
        }
        let median = warm_up.distribution().quantile(0.5);
        let figures = match (median, warm_up.largest_finite()) {
            (Some(median), Some(longest)) => format!(
                ", median {}, longest {}",
                duration(nanoseconds(median)),
                duration(longest as f64)
            ),
            _ => String::new(),
        };
        format!(
            "Left out by time as warm-up: the first {}, {} messages ({} lost{figures}).",
            describe(window.from_ns),
            grouped(warm_up.n()),
            grouped(warm_up.infinite())
        )
    }

    fn scatter(&self, slug: &str, lines: &[LimitLine], figures: &mut Vec<Figure>) -> Picture {
        let window = self.analysis.population.window;
        let scatter = Scatter {
            marks: self.marks,
            injections: self.injections,
            lines,
            warm_up_s: window.from_ns as f64 / 1e9,
            end_s: window.to_ns as f64 / 1e9,
        };
        let marks = self.marks;
        let mut caption = if marks.bins.is_empty() {
            match self.analysis.population.warm_up.n() {
                0 => "Each dot is a message.".to_owned(),
                _ => "Each dot is a message; the warm-up's are grey.".to_owned(),
            }
        } else {
            let drawn = marks.single.len() as u64;
            let outliers = if marks.outliers > drawn {
                format!("the longest {} of {}", grouped(drawn), grouped(marks.outliers))
            } else {
                format!("all {}", grouped(drawn))
            };
            format!(
                "Each {} has a bar from its shortest to its longest latency and a dot at the \
                 median; {outliers} above the upper fence have dots of their own.",
                describe(marks.width_ns)
            )
        };
        if lines.iter().any(|line| line.declared && !scatter.is_shown(line)) {
            caption.push_str(" The declared limit is outside of the picture.");
        }
        let csv = scatter.csv(&self.analysis.path);
        let figure = Figure::drawn(format!("latency-scatter-{slug}"), scatter.svg(), csv);
        Picture::of(figure, "Latency over time", caption, figures)
    }

    fn pictures(&self, slug: &str, lines: &[LimitLine], figures: &mut Vec<Figure>) -> Vec<Picture> {
        let Analysis { path, population, delays, tukey, .. } = self.analysis;
        let mut pictures = Vec::new();
        let mut add = |kind: &str, svg, csv, title: &str, caption: String| {
            let figure = Figure::drawn(format!("latency-{kind}-{slug}"), svg, csv);
            pictures.push(Picture::of(figure, title, caption, figures));
        };
        if let (Some(five), Some(ascending)) = (tukey, delays.ascending()) {
            let plot = BoxPlot::new(*five, ascending);
            let caption = "Quartiles by linear interpolation (type 7); the whiskers end at the most \
                extreme latencies within 1.5 times their distance (Tukey).";
            add("box", plot.svg(), plot.csv(path), "Box plot", caption.to_owned());
        }
        let (steps, coverages) = (steps_of(delays), self.declared.coverages(path, population.span));
        // Of modelled ways that nobody observes no end is known, so there is no step to draw.
        if !steps.is_empty() {
            let ecdf = Ecdf { steps: &steps, n: delays.n(), lines, coverages: &coverages };
            let caption = "Of all messages that were due, lost ones included.".to_owned();
            add("ecdf", ecdf.svg(), ecdf.csv(path), "Share within a latency", caption);
        }
        let percentiles: Vec<Percentile> = shares(delays.n())
            .into_iter()
            .filter_map(|share| Percentile::of(delays, share))
            .collect();
        let plot = PercentilePlot { percentiles: &percentiles, lines };
        let caption = match plot.bounded_up_to() {
            Some(share) => format!(
                "Nearest rank; shaded up to the 95 % upper bound (order statistic, independence \
                 assumed). {} messages are enough for one up to {}.",
                grouped(delays.n()),
                percent(share)
            ),
            None => "Nearest rank; too few messages for any upper bound.".to_owned(),
        };
        add("percentiles", plot.svg(), plot.csv(path), "Percentiles", caption);
        if !self.analysis.legs.is_empty() {
            let caption = "Each part has its own percentile; those of the parts do not add up to \
                that of the end-to-end delay, whose own is marked.";
            // Its data is the table of all paths.
            let legs = self.legs();
            let mut csv = Csv::new(Legs::COLUMNS);
            legs.lines(path, &mut csv);
            add("legs", legs.svg(), csv.finish(), "Where the time goes", caption.to_owned());
        }
        pictures
    }

    fn leg_rows(&self) -> Vec<LegRow> {
        if self.analysis.legs.is_empty() {
            return Vec::new();
        }
        let row = |name: String, leg: &LegFigures, colour: Option<usize>| LegRow {
            whole: colour.is_none(),
            colour: colour.map(|place| place % lastmeter_chart::Colour::PARTS),
            name,
            from: leg.span.from.word(),
            to: leg.span.to.word(),
            n: grouped(leg.n),
            p50: duration(nanoseconds(leg.p50_ns)),
            p99: duration(nanoseconds(leg.p99_ns)),
            max: duration(nanoseconds(leg.max_ns)),
        };
        let parts = self.analysis.legs.iter().enumerate();
        let parts = parts.map(|(place, leg)| row(legs::name(leg.span), leg, Some(place)));
        parts.chain([row("whole way".to_owned(), &self.whole(), None)]).collect()
    }

    fn quantiles(&self) -> Vec<QuantileRow> {
        let delays = &self.analysis.delays;
        let least = 1.0 / delays.n().max(1) as f64;
        let wanted = PERCENTILES.into_iter().filter(|share| 1.0 - share >= least * 0.999);
        let row = |share: f64| {
            let one = Percentile::of(delays, share)?;
            Some(QuantileRow {
                percentile: percent(share),
                latency: duration(nanoseconds(one.delay)),
                bound: one.bound.map_or_else(
                    || "too few messages".to_owned(),
                    |bound| duration(nanoseconds(bound)),
                ),
            })
        };
        wanted.filter_map(row).collect()
    }
}

/// What the messages of a path are.
fn title(path: &str) -> String {
    match LatencyPath::observer_of(path) {
        Some(observer) => format!("{}s, received by {observer}", LatencyPath::READING),
        None => format!("{path}s"),
    }
}

/// A path as part of a file's name, different for each place.
fn slug(path: &str, place: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let slug: String = path.chars().map(plain).take(40).collect();
    // Two observers' names may differ only in what no file's name can hold.
    if slug.contains('-') && path.chars().any(|c| plain(c) == '-' && c != '>' && c != '-') {
        format!("{slug}-{place}")
    } else {
        slug
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_params::{Diagnostics, SourceId, parse_document};

    use super::*;

    #[test]
    fn an_injection_is_shown_in_few_words() {
        for (keys, expected) in [
            ("link = \"access\"\nhow = \"reset\"\nfor = \"3 s\"", "reset"),
            (
                "link = \"wan\"\nadd_delay = \"200 ms\"\nloss = \"1 %\"",
                "add delay 200 ms, loss 1 %",
            ),
            ("how = \"stall\"\ndevices = [\"a\", \"b\"]\nfor = \"1 s\"", "stall, a …"),
            ("kind = \"x\"\ncount = 3\nat = \"1 s\"", "count 3"),
            ("", ""),
        ] {
            let mut out = Diagnostics::new();
            let text = format!("[[inject]]\n{keys}");
            let document = parse_document(&text, SourceId::FILE, &mut out);
            let table = tables(&document, "inject").next().unwrap();
            assert_eq!(condensed(table), expected);
        }
    }

    #[test]
    fn a_path_has_a_title_and_a_name_for_its_files() {
        assert_eq!(title("reading>head-end"), "readings, received by head-end");
        assert_eq!(title("command"), "commands");
        assert_eq!(slug("reading>head-end", 3), "reading-head-end");
        assert_eq!(slug("reading>../x y", 3), "reading----x-y-3");
        assert_ne!(slug("reading>a b", 1), slug("reading>a/b", 2));
    }
}
