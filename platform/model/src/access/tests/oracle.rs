//! Holds the matrix to the table of rights as the design has it, in words.
//!
//! `table.txt` beside this file is that table; what its words mean is written here a second time,
//! over plain facts of a small tenant and without the interpreter.

use lastmeter_units::{HardwareId, SimTime};

use super::sample::{self, NOW, Sample};
use crate::access::action::Action;
use crate::access::grant::Grant;
use crate::access::matrix::{Cell, Clause, Column, Condition, MATRIX, Matrix, Row};
use crate::access::may::{Decision, Question, Scope, may};
use crate::access::principal::{Eui64, Principal, PrincipalRef, Role};
use crate::access::resource::{Kind, Owner, Resource, Subject, Target};

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
    Outline,
}

const GRANTS: [GrantKind; 13] = {
    use GrantKind::*;
    [
        None, Read, All, Finest, Purpose, Before, After, Revoked, Group, Parent, NotHis, Command,
        Outline,
    ]
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
            GrantKind::Outline => action == Action::Outline,
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
        // What was measured in former times stays with who owned the thing then.
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

    /// Whether the row is of what belongs to the tenant and not to its users.
    fn is_common(&self) -> bool {
        self.row.starts_with("tariff") || self.row.starts_with("specification")
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
        // The same word means another condition in another column or row.
        let own = if is_document { "own" } else { "own data" };
        match (self.column, cell) {
            (_, "-" | "log in") => vec![],
            (C::UserOnOwn, "R") if self.is_common() => vec![("R", "any")],
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
    fn expected(&self, cell: &str, action: Action) -> usize {
        let is_platform = matches!(self.who, PrincipalRef::PlatformAdmin(_));
        let is_within = is_platform || self.tenant == "own";
        let is_allowed = |action| self.is_allowed(cell, action);
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

fn outcome(decision: &Decision) -> usize {
    match decision {
        Decision::Yes(_) => 0,
        Decision::Hidden => 1,
        Decision::Forbidden => 2,
        Decision::LogIn => 3,
    }
}

/// A row of the page: name, kinds, cells.
type PageRow = (&'static str, Vec<Kind>, Vec<&'static str>);

fn table() -> Vec<PageRow> {
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
        GrantKind::Outline => grant.actions = [Action::Outline].into(),
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

/// Asks everything of one row and one column, of the column by itself in a matrix or of principals
/// in all their columns; returns the number of questions and the first one that is answered
/// otherwise than the page does.
fn compared(matrix: Option<&Matrix>, row: &PageRow, column: Column) -> (usize, Option<String>) {
    let (me_tenant, _) = sample::tenants();
    let mut asked = 0;
    for who in &principals(column) {
        let is_platform = column == Column::PlatformAdmin;
        let principal = Principal {
            reference: who.clone(),
            tenant: (!is_platform).then(|| me_tenant.clone()),
            roles: roles(column).into_iter().collect(),
            key: None,
        };
        for (subject, document, tenant, grant, has_administrator, &kind) in cases(&row.1) {
            let case = Case {
                row: row.0,
                kind,
                column,
                who,
                subject,
                document,
                tenant,
                grant,
                has_administrator,
            };
            asked += Action::ALL.len();
            if let Some(difference) = case.difference(matrix, &principal, &row.2) {
                return (asked, Some(difference));
            }
        }
    }
    (asked, None)
}

impl Case<'_> {
    fn difference(
        &self,
        matrix: Option<&Matrix>,
        who: &Principal,
        cells: &[&str],
    ) -> Option<String> {
        let (me_tenant, other_tenant) = sample::tenants();
        let other: PrincipalRef = "user:other".parse().unwrap();
        let target = sample::target(self.subject);
        let grants = grant(self.grant, self.who, target.as_ref()).into_iter().collect();
        let has_administrator = self.has_administrator;
        let facts = Sample { me: self.who.clone(), grants, has_administrator };
        let on = Resource {
            kind: self.kind,
            tenant: match self.tenant {
                "own" => Some(&me_tenant),
                "other" => Some(&other_tenant),
                _ => None,
            },
            subject: match (&target, self.subject) {
                (Some(target), _) => Subject::One(target),
                (None, "list") => Subject::List,
                _ => Subject::Nothing,
            },
            owner: match self.document {
                "me" => Owner::Of(self.who),
                "other" | "to me" => Owner::Of(&other),
                "tenant" => Owner::Tenant,
                _ => Owner::Absent,
            },
            to: (self.document == "to me").then_some(self.who),
        };
        let own = [self.column];
        let columns = if matrix.is_some() { &own } else { sample::columns_of(self.column) };
        Action::ALL.into_iter().find_map(|action| {
            let decision = match matrix {
                Some(matrix) => Question { matrix, columns, who, on: &on, facts: &facts, now: NOW }
                    .decide(action),
                None => may(who, action, &on, &facts, NOW),
            };
            // The best of what the columns give: yes, forbidden, hidden, log in.
            let of_column = |&column: &Column| {
                Case { column, ..*self }.expected(cells[column as usize], action)
            };
            let expected = columns.iter().map(of_column).min_by_key(|it| [0, 2, 1, 3][*it]);
            let is_other = Some(outcome(&decision)) != expected;
            is_other.then(|| format!("{self:?} {action}: {decision:?}"))
        })
    }
}

type Parts<'a> = (&'static str, &'static str, &'static str, GrantKind, bool, &'a Kind);

/// Whose documents, of which tenant and under which grants: rights by document and by grant are
/// alternatives, so that either is varied by itself.
fn circumstances() -> Vec<(&'static str, &'static str, GrantKind, bool)> {
    let mut all = Vec::new();
    for tenant in ["own", "other", "platform"] {
        for document in ["-", "tenant", "me", "other", "to me"] {
            all.push((document, tenant, GrantKind::None, true));
        }
        all.push(("-", tenant, GrantKind::None, false));
        let grants = if tenant == "own" { &GRANTS[1..] } else { &[GrantKind::All][..] };
        all.extend(grants.iter().map(|&grant| ("-", tenant, grant, true)));
    }
    all
}

fn cases(kinds: &[Kind]) -> Vec<Parts<'_>> {
    let mut all = Vec::new();
    for subject in SUBJECTS {
        for (document, tenant, grant, has_administrator) in circumstances() {
            let of_kind = |kind| (subject, document, tenant, grant, has_administrator, kind);
            all.extend(kinds.iter().map(of_kind));
        }
    }
    all
}

#[test]
fn every_cell_is_that_of_the_page() {
    let mut asked = 0;
    for (index, row) in table().iter().enumerate() {
        assert_eq!(Row::ALL[index].word(), row.0);
        assert_eq!(row.2.len(), Column::ALL.len(), "{}", row.0);
        let first = (row.0, vec![row.1[0]], row.2.clone());
        for column in Column::ALL {
            for (matrix, row) in [(Some(&MATRIX), row), (None, &first)] {
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

/// The clauses of a cell that can hold for the principals of a column.
fn effective(cell: Cell, column: Column) -> Vec<Clause> {
    use Condition as If;
    let can_hold = |clause: &&Clause| match clause.1 {
        If::Itself => matches!(column, Column::Device | Column::Application | Column::Gateway),
        If::Nodes => column == Column::Gateway,
        If::SharedSecret | If::Uncredentialed => column == Column::Device,
        If::Platforms => column == Column::PlatformAdmin,
        If::ReadsSeries => !MATRIX[Row::Series as usize][column as usize].is_empty(),
        _ => true,
    };
    cell.iter().filter(can_hold).copied().collect()
}

#[test]
fn every_changed_cell_differs_from_the_page() {
    const ALL: Cell = &[Clause(&Action::ALL, Condition::Any)];
    let mut values: Vec<Cell> = vec![ALL];
    for cell in MATRIX.into_iter().flatten() {
        if !values.contains(&cell) {
            values.push(cell);
        }
    }
    let (mut changed, mut unnoticed) = (0, Vec::new());
    for (index, row) in table().iter().enumerate() {
        let row = &(row.0, vec![row.1[0]], row.2.clone());
        for column in Column::ALL {
            let before = effective(MATRIX[index][column as usize], column);
            for &value in values.iter().filter(|value| effective(value, column) != before) {
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
}
