//! Holds the matrix to the table of rights as the design has it, in words.
//!
//! `table.txt` beside this file is that table; what its words mean is written here a second time,
//! over plain facts of a small tenant and without the interpreter.

use lastmeter_units::{HardwareId, SimTime, TenantName};

use super::action::Action;
use super::grant::Grant;
use super::matrix::{Cell, Column, MATRIX, Matrix, Row};
use super::may::{Decision, Question, Scope, may};
use super::principal::{Eui64, Principal, PrincipalRef, Role};
use super::resource::{Kind, Owner, Resource, Subject, Target};
use super::sample::{self, NOW, Sample};

/// What the page's letters stand for.
fn letters(letter: &str) -> &'static [Action] {
    use Action::*;
    match letter {
        "R" => &[Read, Outline],
        "L" => &[Outline],
        "W" => &[Read, Outline, Write, Acknowledge, Switch, Rotate],
        "publish" => &[Write],
        "C" => &[Read, Outline, Command],
        "G" => &[Read, Outline, Grant],
        "WG" => &[Read, Outline, Write, Grant],
        "ack" => &[Read, Outline, Acknowledge],
        "switch" => &[Read, Outline, Switch],
        "rotate" => &[Rotate],
        "answer" => &[Answer],
        "carry" => &[Carry],
        "content" => &[Content],
        _ => panic!("no letter {letter}"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum GrantKind {
    None,
    Read,
    All,
    Finest,
    Purpose,
    Before,
    After,
    Revoked,
    Group,
    Parent,
    NotHis,
    Command,
}

const GRANTS: [GrantKind; 12] = {
    use GrantKind::*;
    [None, Read, All, Finest, Purpose, Before, After, Revoked, Group, Parent, NotHis, Command]
};

const SUBJECTS: [&str; 15] = [
    "nothing",
    "list",
    "mine",
    "others",
    "nobody",
    "public",
    "former",
    "once-free",
    "node",
    "dev",
    "app",
    "zone z-mine",
    "zone z-others",
    "network n-gateway",
    "absent",
];

/// A question without its action.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    row: &'a str,
    kind: Kind,
    column: Column,
    who: &'a PrincipalRef,
    subject: &'a str,
    /// `-`, `tenant`, `me`, `other`, `to me`.
    document: &'a str,
    tenant: &'a str,
    grant: GrantKind,
    has_administrator: bool,
}

impl Case<'_> {
    fn is(&self, subjects: &[&str]) -> bool {
        subjects.contains(&self.subject)
    }

    /// Whether a grant in force gives an action.
    fn granted(&self, action: Action) -> bool {
        let asked = if action == Action::Outline { Action::Read } else { action };
        let is_listed = match self.grant {
            GrantKind::Read => asked == Action::Read,
            GrantKind::Finest => {
                action == Action::Read && matches!(self.kind, Kind::Series | Kind::Export)
            }
            GrantKind::Command => asked == Action::Command,
            GrantKind::All | GrantKind::Purpose | GrantKind::Group | GrantKind::Parent => true,
            _ => false,
        };
        let is_thing = !self.is(&["nothing", "list", "absent"]);
        let is_other = self.is(&[
            "others",
            "public",
            "former",
            "once-free",
            "node",
            "dev",
            "app",
            "network n-gateway",
        ]);
        is_listed
            && match self.grant {
                GrantKind::Purpose => is_thing,
                GrantKind::Group => self.subject == "others",
                GrantKind::Parent => self.subject == "zone z-mine",
                _ => is_other,
            }
    }

    /// Whether a condition of the page holds; `None` if it does not decide about lists.
    fn holds(&self, words: &str, action: Action) -> bool {
        let is_read = action == Action::Read;
        let is_list = self.subject == "list";
        let reaches_back = is_read && self.has_history();
        match words {
            "any" => true,
            "own" => self.document == "me" || (is_list && is_read),
            "to" => self.document == "to me" || (is_list && is_read),
            "tenant's" => self.document == "tenant",
            "platform's" => self.tenant == "platform",
            "own data" => {
                let is_former = self.subject == "former" && reaches_back;
                self.subject == "mine" || is_former || (is_list && is_read)
            }
            "own grant" => {
                let is_mine = self.subject == "mine";
                let is_former = self.subject == "former" && action == Action::Grant;
                self.document == "me" && (is_mine || is_former) || (is_list && is_read)
            }
            "own node" => self.subject == "node",
            "own on zone" => self.document == "me" && self.is_zone() || (is_list && is_read),
            "on zone" => self.is_zone(),
            "own zone" => self.subject == "zone z-mine",
            "public" => self.subject == "public" || is_list,
            "unowned" => {
                let is_once = self.is(&["public", "once-free"]) && reaches_back;
                let is_zone = self.is_zone();
                self.subject == "nobody" || is_zone || is_once || (is_list && is_read)
            }
            "granted" => self.granted(action) || (is_list && is_read),
            "purpose" => {
                let is_purpose = matches!(self.grant, GrantKind::Purpose | GrantKind::Parent);
                is_purpose && self.granted(action) || (is_list && is_read)
            }
            "granted itself" => {
                self.grant == GrantKind::Purpose && self.granted(action)
                    || matches!(self.grant, GrantKind::Read | GrantKind::All)
                        && self.granted(action)
            }
            "granted parent" => self.grant == GrantKind::Parent && self.granted(action),
            "itself" => match self.who {
                PrincipalRef::Device(_) => self.subject == "dev",
                PrincipalRef::Application(_) => self.subject == "app",
                PrincipalRef::Gateway(_) => self.subject == "network n-gateway",
                _ => false,
            },
            "nodes" => matches!(self.who, PrincipalRef::Gateway(_)) && self.subject == "node",
            "shared secret" => *self.who == PrincipalRef::SharedDevices,
            "uncredentialed" => {
                let is_with = self.is(&["others", "dev", "nothing", "list"]);
                *self.who == PrincipalRef::SharedDevices && !is_with
            }
            "first" => !self.has_administrator,
            _ => panic!("no condition {words}"),
        }
    }

    fn is_zone(&self) -> bool {
        self.subject.starts_with("zone")
    }

    fn has_history(&self) -> bool {
        ["series", "invoc", "result", "refusals", "audit"].iter().any(|at| self.row.starts_with(at))
    }

    /// What the words of a cell mean: letters with conditions, one of which must hold.
    fn meaning(&self, cell: &str) -> Vec<(&'static str, &'static str)> {
        use Column as C;
        let is_document =
            ["own acc", "field", "rule", "report"].iter().any(|row| self.row.starts_with(row));
        let is_topic = self.row.starts_with("topic");
        let own = if is_document { "own" } else { "own data" };
        match (self.column, cell) {
            (_, "-" | "log in") => vec![],
            (C::UserOnOwn, "R") if self.row.starts_with("tariff") => vec![("R", "any")],
            (C::UserOnOwn, "R") if self.row.starts_with("refusals") => {
                vec![("R", "own data"), ("content", "own data")]
            }
            (C::UserOnOwn, "R o") if self.row.starts_with("report") => vec![("R", "own")],
            (C::UserOnOwn, "R" | "R about own data" | "R o") => vec![("R", "own data")],
            (C::UserOnOwn, "W") if self.row.starts_with("device") => {
                vec![("W", "own data"), ("W", "own node")]
            }
            (C::UserOnOwn, "W" | "W (makes it)") => vec![("W", own)],
            (C::UserOnOwn, "C") => vec![("C", "own data")],
            (_, "W") if self.row.starts_with("own account") && self.column != C::Bench => {
                vec![("W", "own")]
            }
            (C::Bench, "W") if self.row == "grant" => vec![("WG", "any")],
            (C::Bench, "R") if self.row.starts_with("refusals") => {
                vec![("R", "any"), ("content", "any")]
            }
            (C::Device, "W") => vec![("publish", "itself"), ("publish", "uncredentialed")],
            (C::Device, "R own") if is_topic => vec![("R", "itself"), ("R", "uncredentialed")],
            (C::Application, "W") if self.row == "topic own input" => vec![("publish", "itself")],
            (C::Device | C::Gateway, "R own") => vec![("R", "itself")],
            (_, "R" | "R own" | "R, no key") => vec![("R", "any")],
            (_, "W") => vec![("W", "any")],
            (_, "C") => vec![("C", "any")],
            (_, "R p") => vec![("R", "public")],
            (_, "g") => vec![(self.ceiling(), "granted")],
            (_, "W g") => vec![("W", "granted")],
            (_, "R, W g") => vec![("R", "any"), ("W", "granted")],
            (_, "W own, R g") => vec![("W", "own"), ("R", "granted")],
            (_, "rotate") => vec![("rotate", "own")],
            (_, "first admin") => vec![("W", "first")],
            (_, "R its nodes") => vec![("R", "nodes")],
            (_, "W its nodes") => vec![("publish", "nodes")],
            (_, "L presence" | "R states" | "keys and place") => vec![("L", "any")],
            (_, "R of devices nobody owns, else a purpose grant" | "R live") => {
                vec![("R", "unowned"), ("R", "purpose")]
            }
            (_, "R of its zones" | "R of its zone") => vec![("R", "own zone")],
            (_, "R own zone's name") => vec![("L", "own zone")],
            (_, "answers own") => vec![("answer", "itself")],
            (_, "carries") => vec![("carry", "nodes")],
            (_, "G o, R on own data") => vec![("G", "own grant"), ("R", "own data")],
            (_, "R o") if self.row == "grant" => vec![("R", "to")],
            (_, "R o") => vec![("R", "own")],
            (_, "W o") => vec![("W", "own")],
            (_, "G purpose") => vec![("G", "tenant's")],
            (_, "W on aggregates") => vec![("W", "own on zone")],
            (_, "W on the tenant's, R else") => vec![("W", "tenant's"), ("R", "any")],
            (C::TenantAdmin, "W ack") if self.row.starts_with("refusals") => {
                vec![("ack", "any"), ("content", "unowned"), ("content", "purpose")]
            }
            (_, "W ack") => vec![("ack", "any")],
            (_, "W switch state") => vec![("switch", "any")],
            (_, "R of aggregates" | "R network" | "aggregates") => vec![("R", "on zone")],
            (_, "platform's") => vec![("R", "platform's")],
            (_, "shared secret") => vec![("publish", "shared secret")],
            (_, "shared secret W") => vec![("W", "shared secret")],
            (_, "W own zone, R its children") => {
                vec![("publish", "granted itself"), ("R", "granted parent")]
            }
            _ => panic!("{}, {}: {cell}", self.row, self.column),
        }
    }

    /// The most that a grant gives.
    fn ceiling(&self) -> &'static str {
        match self.row.split([',', ' ']).next() {
            Some("field" | "device" | "rule") => "W",
            Some("invocation") => "C",
            _ => "R",
        }
    }

    fn is_allowed(&self, cell: &str, action: Action) -> bool {
        // Content is what the series is: its conditions are those of reading it.
        let asked = if action == Action::Content { Action::Read } else { action };
        self.meaning(cell)
            .into_iter()
            .any(|(letter, words)| letters(letter).contains(&action) && self.holds(words, asked))
    }

    /// 0 yes, 1 hidden, 2 forbidden, 3 log in.
    fn expected(&self, cells: &[&str], action: Action) -> u8 {
        let is_platform = matches!(self.who, PrincipalRef::PlatformAdmin(_));
        let is_within = is_platform || self.tenant == "own";
        let is_allowed = |action| cells.iter().any(|cell| self.is_allowed(cell, action));
        if is_within && is_allowed(action) {
            0
        } else if *self.who == PrincipalRef::Anonymous {
            3
        } else if is_within && Action::ALL.into_iter().any(is_allowed) {
            2
        } else {
            1
        }
    }
}

fn outcome(decision: &Decision) -> u8 {
    match decision {
        Decision::Yes(_) => 0,
        Decision::Hidden => 1,
        Decision::Forbidden => 2,
        Decision::LogIn => 3,
    }
}

/// Rows of the page: name, kinds, cells.
fn table() -> Vec<(&'static str, Vec<Kind>, Vec<&'static str>)> {
    let rows = include_str!("table.txt").lines().map(|line| {
        let mut cells = line.trim_end_matches([' ', '|']).split(" | ");
        let (row, kinds) = cells.next().unwrap().split_once(": ").unwrap();
        let kinds = kinds.split(' ').map(|kind| Kind::from_word(kind).unwrap()).collect();
        (row, kinds, cells.collect())
    });
    rows.collect()
}

fn principals(column: Column) -> Vec<PrincipalRef> {
    let name = |text: &str| text.parse().unwrap();
    match column {
        Column::Anonymous => vec![PrincipalRef::Anonymous],
        Column::Device => {
            vec![PrincipalRef::Device(HardwareId::new("dev").unwrap()), PrincipalRef::SharedDevices]
        }
        Column::Gateway => vec![PrincipalRef::Gateway(Eui64(7))],
        Column::Application => vec![PrincipalRef::Application(name("app"))],
        Column::PlatformAdmin => vec![PrincipalRef::PlatformAdmin(name("me"))],
        Column::Bench => vec![PrincipalRef::Bench],
        _ => vec![PrincipalRef::User(name("me"))],
    }
}

fn roles(column: Column) -> Vec<Role> {
    match column {
        Column::UserOnOwn | Column::ThirdParty => vec![Role::User],
        Column::Utility => vec![Role::Utility],
        Column::Operator => vec![Role::Operator],
        Column::TenantAdmin => vec![Role::TenantAdmin],
        _ => vec![],
    }
}

fn grant(kind: GrantKind, me: &PrincipalRef, subject: Option<&Target>) -> Option<Grant> {
    let mut grant = sample::grant(me, subject.cloned()?);
    match kind {
        GrantKind::None => return None,
        GrantKind::Read => grant.actions = [Action::Read].into(),
        GrantKind::Command => grant.actions = [Action::Command].into(),
        GrantKind::All => {}
        GrantKind::Finest => grant.finest = Some(sample::HOUR),
        GrantKind::Purpose => grant.purpose = Some("outage".to_owned()),
        GrantKind::Before => (grant.from, grant.until) = (SimTime(1001), SimTime(1100)),
        GrantKind::After => (grant.from, grant.until) = (SimTime(900), NOW),
        GrantKind::Revoked => grant.revoked = Some(NOW),
        GrantKind::Group => grant.on = Target::Zone("z-others".to_owned()),
        GrantKind::Parent => {
            grant.on = Target::Zone("z-top".to_owned());
            grant.purpose = Some("estimation".to_owned());
        }
        GrantKind::NotHis => grant.by = "user:stranger".parse().unwrap(),
    }
    Some(grant)
}

/// Asks everything of one row and one column; returns the number of questions and the first one
/// that is answered otherwise than the page does.
fn compared(
    matrix: Option<&Matrix>,
    row: &(&str, Vec<Kind>, Vec<&str>),
    column: Column,
) -> (usize, Option<String>) {
    let (me_tenant, other_tenant) = sample::tenants();
    let mut asked = 0;
    let cells = match matrix {
        Some(_) => vec![row.2[column as usize]],
        None => sample::columns_of(column).iter().map(|&at| row.2[at as usize]).collect(),
    };
    for who in &principals(column) {
        let other: PrincipalRef = "user:other".parse().unwrap();
        let is_platform = column == Column::PlatformAdmin;
        let principal = Principal {
            reference: who.clone(),
            tenant: (!is_platform).then(|| me_tenant.clone()),
            roles: roles(column).into_iter().collect(),
            key: None,
        };
        for (subject, document, tenant, kind, has_administrator, &resource_kind) in cases(&row.1) {
            let target = sample::target(subject);
            let grants = grant(kind, who, target.as_ref()).into_iter().collect();
            let facts = Sample { me: who.clone(), grants, has_administrator };
            let on = Resource {
                kind: resource_kind,
                tenant: match tenant {
                    "own" => Some(&me_tenant),
                    "other" => Some(&other_tenant),
                    _ => None,
                },
                subject: match (&target, subject) {
                    (Some(target), _) => Subject::One(target),
                    (None, "list") => Subject::List,
                    _ => Subject::Nothing,
                },
                owner: match document {
                    "me" => Owner::Of(who),
                    "other" | "to me" => Owner::Of(&other),
                    "tenant" => Owner::Tenant,
                    _ => Owner::Absent,
                },
                to: (document == "to me").then_some(who),
            };
            let case = Case {
                row: row.0,
                kind: resource_kind,
                column,
                who,
                subject,
                document,
                tenant,
                grant: kind,
                has_administrator,
            };
            for action in Action::ALL {
                let decision = match matrix {
                    Some(matrix) => {
                        let (who, facts) = (&principal, &facts);
                        Question { matrix, columns: &[column], who, on: &on, facts, now: NOW }
                            .decide(action)
                    }
                    None => may(&principal, action, &on, &facts, NOW),
                };
                asked += 1;
                // A column by itself has no other columns' meaning.
                let expected = match matrix {
                    Some(_) => case.expected(&cells, action),
                    None => sample::columns_of(column)
                        .iter()
                        .map(|&column| {
                            let cell = row.2[column as usize];
                            Case { column, ..case }.expected(&[cell], action)
                        })
                        .min_by_key(|outcome| [0, 2, 1, 3][usize::from(*outcome)])
                        .unwrap(),
                };
                if outcome(&decision) != expected {
                    return (asked, Some(format!("{case:?} {action}: {decision:?}")));
                }
            }
        }
    }
    (asked, None)
}

type Parts<'a> = (&'static str, &'static str, &'static str, GrantKind, bool, &'a Kind);

fn cases(kinds: &[Kind]) -> impl Iterator<Item = Parts<'_>> {
    let documents = ["-", "tenant", "me", "other", "to me"];
    SUBJECTS.into_iter().flat_map(move |subject| {
        documents.into_iter().flat_map(move |document| {
            ["own", "other", "platform"].into_iter().flat_map(move |tenant| {
                GRANTS.into_iter().flat_map(move |grant| {
                    let full = document == "-" || grant == GrantKind::None;
                    let administrators: &[bool] = if full { &[true, false] } else { &[true] };
                    administrators.iter().flat_map(move |&has| {
                        kinds.iter().map(move |kind| (subject, document, tenant, grant, has, kind))
                    })
                })
            })
        })
    })
}

#[test]
fn every_cell_is_that_of_the_page() {
    let mut asked = 0;
    for (index, row) in table().iter().enumerate() {
        assert_eq!(Row::ALL[index].word(), row.0);
        assert_eq!(row.2.len(), Column::ALL.len(), "{}", row.0);
        for column in Column::ALL {
            for matrix in [Some(&MATRIX), None] {
                let (count, difference) = compared(matrix, row, column);
                asked += count;
                assert_eq!(difference, None);
            }
        }
    }
    let kinds: usize = table().iter().map(|row| row.1.len()).sum();
    assert_eq!(kinds, Kind::ALL.len());
    println!("{asked} questions over {} rows, {} columns", Row::ALL.len(), Column::ALL.len());
}

#[test]
fn every_changed_cell_differs_from_the_page() {
    const ALL: Cell = &[super::matrix::Clause(&Action::ALL, super::matrix::Condition::Any)];
    let mut values: Vec<Cell> = vec![ALL];
    for cell in MATRIX.into_iter().flatten() {
        if !values.contains(&cell) {
            values.push(cell);
        }
    }
    let (mut changed, mut unnoticed) = (0, Vec::new());
    for (index, row) in table().iter().enumerate() {
        for column in Column::ALL {
            for &value in values.iter().filter(|value| **value != MATRIX[index][column as usize]) {
                let mut matrix = MATRIX;
                matrix[index][column as usize] = value;
                changed += 1;
                if compared(Some(&matrix), row, column).1.is_none() {
                    unnoticed.push(format!("{}, {column}: {value:?}", row.0));
                }
            }
        }
    }
    println!("{changed} changed cells");
    assert!(unnoticed.is_empty(), "{}\n{}", unnoticed.len(), unnoticed.join("\n"));
}

#[test]
fn a_scope_is_all_only_where_the_page_sets_no_bounds() {
    let (tenant, _) = sample::tenants();
    let me: PrincipalRef = "user:me".parse().unwrap();
    let facts = Sample { me: me.clone(), grants: vec![], has_administrator: true };
    let roles = [Role::User].into();
    let who = Principal { reference: me, tenant: Some(tenant.clone()), roles, key: None };
    for subject in [Subject::List, Subject::One(&sample::target("mine").unwrap())] {
        for kind in [Kind::Series, Kind::Latest, Kind::Invocation, Kind::Refusal] {
            let on = Resource::new(kind, &tenant, subject);
            let decision = may(&who, Action::Read, &on, &facts, NOW);
            assert!(matches!(decision, Decision::Yes(Scope::Windows(_))), "{kind}: {decision:?}");
        }
    }
    assert_eq!(TenantName::default(), tenant);
}
