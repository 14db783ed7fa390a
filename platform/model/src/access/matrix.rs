//! The table of rights: what each column of principals may do with each row of resources.
//!
//! A cell lists what is allowed and on which condition; an empty one allows nothing. The order of
//! rows and columns is that of the platform's design, so that the two can be compared.

use Condition as If;

use super::action::Action;
use super::principal::{Principal, PrincipalRef, Role};
use super::resource::Kind;

lastmeter_units::words! {
    /// On what a right depends.
    pub(super) enum Condition {
        /// On nothing.
        Any = "all",
        /// The principal owns the document.
        Own = "their own",
        /// The document is to the principal.
        To = "what is addressed to them",
        /// The document is the tenant's.
        Tenants = "the tenant's",
        /// The resource is the platform's.
        Platforms = "the platform's",
        /// The principal owns the subject, or owned it when the data was measured.
        OwnData = "what is or was of their devices",
        /// The principal owns the field network that the subject is a node of.
        OwnNode = "what is in their networks",
        /// The principal owns document and subject.
        OwnOnOwnData = "their own, on their devices",
        /// The principal owns the document, and its subject is a zone.
        OwnOnZone = "their own, on zones",
        /// The subject is a zone.
        OnZone = "what is of a zone",
        /// The subject is a zone with something that the principal owns.
        OwnZone = "what is of their zone",
        /// The subject is public.
        Public = "what is public",
        /// Nobody owns the subject, or nobody did when the data was measured.
        Unowned = "what nobody owned",
        /// A grant in force has the action.
        Granted = "what was shared with them",
        /// A grant in force with a purpose has the action.
        Purpose = "what was shared for a purpose",
        /// A grant in force on this subject itself has the action.
        GrantedItself = "what was shared by itself",
        /// A grant in force is on the parent zone of the subject.
        GrantedParent = "what is below a zone that was shared",
        /// The subject is the principal.
        Itself = "itself",
        /// The subject is a node of the gateway that asks.
        Nodes = "its nodes",
        /// The shared device credential asks.
        SharedSecret = "with the shared secret",
        /// The shared device credential asks for a device without a credential of its own.
        Uncredentialed = "devices without a secret of their own",
        /// The tenant has no administrator yet.
        FirstAdmin = "the first administrator",
        /// The principal may read the subject's series.
        ReadsSeries = "what they may read the values of",
    }
}

/// Actions that are allowed, and the condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clause(pub(super) &'static [Action], pub(super) Condition);

/// What one column may do with one row.
pub(super) type Cell = &'static [Clause];

/// All cells: rows of [`Row`], columns of [`Column`].
pub(super) type Matrix = [[Cell; Column::ALL.len()]; Row::ALL.len()];

lastmeter_units::words! {
    /// Columns of the table.
    pub(super) enum Column {
        Anonymous = "anonymous",
        UserOnOwn = "user on own",
        ThirdParty = "third party",
        Utility = "utility",
        Operator = "operator",
        TenantAdmin = "tenant admin",
        Application = "application",
        Device = "device",
        Gateway = "gateway",
        PlatformAdmin = "platform admin",
        Bench = "bench",
    }
}

lastmeter_units::words! {
    /// Rows of the table.
    pub(super) enum Row {
        Account = "own account, tokens",
        Users = "users, roles, credentials",
        Tenants = "tenants, their limits",
        Networks = "field network, gateway, options",
        Devices = "device, virtual device, configuration, firmware",
        Latest = "latest values",
        Series = "series, alerts, roll-ups, export",
        Aggregates = "aggregates",
        Invocations = "invocation, schedule, batch",
        Grants = "grant",
        Rules = "rule, view, own alarm, notification",
        NetworkAlarms = "network alarm",
        Reports = "report, bill",
        Tariffs = "tariff, feed",
        Sites = "site, zone",
        ElectricNetworks = "electric network, topology vector",
        Specifications = "specification, command definition",
        Assets = "asset, assignment",
        Groups = "group",
        Settings = "settings, maintenance",
        Results = "result",
        Refusals = "refusals, losses, tenant metrics",
        Audit = "audit",
        Clocks = "commit-order lists, clock",
        OwnInput = "topic own input",
        SharedInput = "topic shared input",
        Commands = "topic commands",
        Live = "topic live",
        Estimates = "topic se",
        Forwarded = "topic echo, rts",
    }
}

impl Kind {
    /// Its row.
    pub(super) const fn row(self) -> Row {
        match self {
            Self::Account | Self::Token => Row::Account,
            Self::User | Self::Credential | Self::Application => Row::Users,
            Self::Tenant => Row::Tenants,
            Self::FieldNetwork | Self::Gateway => Row::Networks,
            Self::Device | Self::VirtualDevice | Self::Configuration | Self::Firmware => {
                Row::Devices
            }
            Self::Latest => Row::Latest,
            Self::Series | Self::Alert | Self::Location | Self::Export => Row::Series,
            Self::Aggregate => Row::Aggregates,
            Self::Invocation | Self::Schedule | Self::Batch => Row::Invocations,
            Self::Grant => Row::Grants,
            Self::Rule | Self::ReportPlan | Self::View | Self::Alarm | Self::Notification => {
                Row::Rules
            }
            Self::NetworkAlarm => Row::NetworkAlarms,
            Self::Report | Self::Bill => Row::Reports,
            Self::Tariff | Self::Feed => Row::Tariffs,
            Self::Site | Self::Zone => Row::Sites,
            Self::ElectricNetwork | Self::Topology => Row::ElectricNetworks,
            Self::Specification => Row::Specifications,
            Self::Asset | Self::Assignment => Row::Assets,
            Self::Group => Row::Groups,
            Self::Settings | Self::Job => Row::Settings,
            Self::Result => Row::Results,
            Self::Refusal | Self::Losses | Self::Metrics => Row::Refusals,
            Self::Audit => Row::Audit,
            Self::CommitOrder | Self::Clock => Row::Clocks,
            Self::OwnInput => Row::OwnInput,
            Self::SharedInput => Row::SharedInput,
            Self::CommandTopic => Row::Commands,
            Self::Live | Self::LiveAlerts => Row::Live,
            Self::Estimates => Row::Estimates,
            Self::Forwarded => Row::Forwarded,
        }
    }
}

impl Column {
    /// The columns that a principal stands in: every one of a tenant has what anonymous has.
    pub(super) fn of(who: &Principal) -> Vec<Self> {
        let mut columns = vec![Self::Anonymous];
        match &who.reference {
            PrincipalRef::Anonymous => {}
            PrincipalRef::User(_) => {
                columns.extend(who.roles.iter().flat_map(|role| Self::of_role(*role)));
            }
            PrincipalRef::Device(_) | PrincipalRef::SharedDevices => columns.push(Self::Device),
            PrincipalRef::Gateway(_) => columns.push(Self::Gateway),
            PrincipalRef::Application(_) => columns.push(Self::Application),
            PrincipalRef::PlatformAdmin(_) => columns = vec![Self::PlatformAdmin],
            PrincipalRef::Bench => columns.push(Self::Bench),
        }
        columns
    }

    const fn of_role(role: Role) -> &'static [Self] {
        match role {
            Role::User => &[Self::UserOnOwn, Self::ThirdParty],
            Role::Utility => &[Self::Utility],
            Role::Operator => &[Self::Operator],
            Role::TenantAdmin => &[Self::TenantAdmin],
        }
    }
}

/// What a role may do with things of one row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// What it may do.
    pub actions: &'static [Action],
    /// With which of them, in words.
    pub on: &'static str,
}

/// The things of the table, each with what a role may do with it, without topics. What everybody
/// may is not in it.
pub fn rights_of(role: Role) -> impl Iterator<Item = (&'static str, Vec<Right>)> {
    Row::ALL.into_iter().take_while(|row| *row != Row::OwnInput).map(move |row| {
        let cells = Column::of_role(role)
            .iter()
            .flat_map(move |column| MATRIX[row as usize][*column as usize].iter());
        let mut rights: Vec<Right> = Vec::new();
        for Clause(actions, condition) in cells {
            let right = Right { actions, on: condition.word() };
            if !rights.iter().any(|one| one.actions == right.actions && one.on == right.on) {
                rights.push(right);
            }
        }
        (row.word(), rights)
    })
}

use Action::{
    Acknowledge, Answer, Carry, Command, Content, Grant, Outline, Read, Rotate, Switch, Write,
};

/// R.
const R: &[Action] = &[Read, Outline];
/// L presence, R states, R name, keys and place.
const L: &[Action] = &[Outline];
/// W.
const W: &[Action] = &[Read, Outline, Write, Acknowledge, Switch, Rotate];
/// W of a topic that is published on and not read.
const P: &[Action] = &[Write];
/// C.
const C: &[Action] = &[Read, Outline, Command];
/// G.
const G: &[Action] = &[Read, Outline, Grant];
/// W of one who makes grants too.
const WG: &[Action] = &[Read, Outline, Write, Grant];
/// W ack.
const ACK: &[Action] = &[Read, Outline, Acknowledge];
/// W switch state.
const SWITCH: &[Action] = &[Read, Outline, Switch];

/// -
const NO: Cell = &[];
const R_ANY: Cell = &[Clause(R, If::Any)];
const R_OWN: Cell = &[Clause(R, If::Own)];
const R_PUBLIC: Cell = &[Clause(R, If::Public)];
const R_DATA: Cell = &[Clause(R, If::OwnData)];
const R_ZONE: Cell = &[Clause(R, If::OwnZone)];
const R_ON_ZONE: Cell = &[Clause(R, If::OnZone)];
const R_TO: Cell = &[Clause(R, If::To)];
const R_ITSELF: Cell = &[Clause(R, If::Itself)];
const R_NODES: Cell = &[Clause(R, If::Nodes)];
/// R of devices nobody owns, else a purpose grant.
const R_UNOWNED: Cell = &[Clause(R, If::Unowned), Clause(R, If::Purpose)];
const L_ANY: Cell = &[Clause(L, If::Any)];
const W_ANY: Cell = &[Clause(W, If::Any)];
const W_OWN: Cell = &[Clause(W, If::Own)];
const P_NODES: Cell = &[Clause(P, If::Nodes)];
const P_ITSELF: Cell = &[Clause(P, If::Itself)];
const C_ANY: Cell = &[Clause(C, If::Any)];
/// g: what the grant's actions and these have in common.
const GR: Cell = &[Clause(R, If::Granted)];
const GW: Cell = &[Clause(W, If::Granted)];
const GC: Cell = &[Clause(C, If::Granted)];
const ROTATE: Cell = &[Clause(&[Rotate], If::Own)];
const FIRST: Cell = &[Clause(W, If::FirstAdmin)];
const W_DATA: Cell = &[Clause(W, If::OwnData), Clause(W, If::OwnNode)];
const C_DATA: Cell = &[Clause(C, If::OwnData)];
const ANSWER: Cell = &[Clause(&[Answer], If::Itself)];
const CARRY: Cell = &[Clause(&[Carry], If::Nodes)];
const G_OWN: Cell = &[Clause(G, If::OwnOnOwnData), Clause(R, If::OwnData)];
const G_PURPOSE: Cell = &[Clause(G, If::Tenants)];
const WG_ANY: Cell = &[Clause(WG, If::Any)];
const W_OWN_ON_ZONE: Cell = &[Clause(W, If::OwnOnZone)];
const W_TENANTS_R: Cell = &[Clause(W, If::Tenants), Clause(R, If::Any)];
const ACK_ANY: Cell = &[Clause(ACK, If::Any)];
const SWITCH_ANY: Cell = &[Clause(SWITCH, If::Any)];
const L_ZONE: Cell = &[Clause(L, If::OwnZone)];
const R_GW: Cell = &[Clause(R, If::Any), Clause(W, If::Granted)];
const OWN_GR: Cell = &[Clause(W, If::Own), Clause(R, If::Granted)];
const CONTENT: Clause = Clause(&[Content], If::ReadsSeries);
const R_DATA_CONTENT: Cell = &[Clause(R, If::OwnData), CONTENT];
const ACK_CONTENT: Cell = &[Clause(ACK, If::Any), CONTENT];
const R_CONTENT: Cell = &[Clause(R, If::Any), CONTENT];
const PLATFORMS: Cell = &[Clause(R, If::Platforms)];
const P_DEVICE: Cell = &[Clause(P, If::Itself), Clause(P, If::Uncredentialed)];
const P_SHARED: Cell = &[Clause(P, If::SharedSecret)];
const W_SHARED: Cell = &[Clause(W, If::SharedSecret)];
const R_DEVICE: Cell = &[Clause(R, If::Itself), Clause(R, If::Uncredentialed)];
const SE_APP: Cell = &[Clause(P, If::GrantedItself), Clause(R, If::GrantedParent)];

/// The table.
#[rustfmt::skip]
pub(super) const MATRIX: Matrix = [
    // anonymous, user on own, third party, utility, operator, tenant admin,
    //     application, device, gateway, platform admin, bench
    /* own account */
    [NO, W_OWN, W_OWN, W_OWN, W_OWN, W_OWN,
        ROTATE, NO, NO, W_OWN, W_ANY],
    /* users */
    [NO, NO, NO, NO, NO, W_ANY,
        NO, NO, NO, FIRST, W_ANY],
    /* tenants */
    [NO, NO, NO, NO, NO, R_ANY,
        NO, NO, NO, W_ANY, R_ANY],
    /* field network */
    [NO, W_OWN, GW, NO, R_ANY, W_ANY,
        GW, NO, R_ITSELF, NO, W_ANY],
    /* device */
    [R_PUBLIC, W_DATA, GW, NO, R_ANY, W_ANY,
        GW, R_ITSELF, R_NODES, NO, W_ANY],
    /* latest values */
    [R_PUBLIC, R_DATA, GR, NO, L_ANY, R_UNOWNED,
        GR, NO, NO, NO, R_ANY],
    /* series */
    [R_PUBLIC, R_DATA, GR, NO, NO, R_UNOWNED,
        GR, NO, NO, NO, R_ANY],
    /* aggregates */
    [R_PUBLIC, R_ZONE, GR, R_ANY, R_ANY, R_ANY,
        GR, NO, NO, NO, R_ANY],
    /* invocation */
    [NO, C_DATA, GC, NO, NO, C_ANY,
        GC, ANSWER, CARRY, NO, C_ANY],
    /* grant */
    [NO, G_OWN, R_TO, NO, NO, G_PURPOSE,
        R_TO, NO, NO, NO, WG_ANY],
    /* rule */
    [NO, W_OWN, GW, W_OWN_ON_ZONE, L_ANY, W_TENANTS_R,
        W_OWN, NO, NO, NO, R_ANY],
    /* network alarm */
    [NO, R_ZONE, NO, R_ANY, ACK_ANY, W_ANY,
        GR, NO, NO, NO, R_ANY],
    /* report */
    [NO, R_OWN, GR, R_ON_ZONE, NO, W_ANY,
        GW, NO, NO, NO, R_ANY],
    /* tariff */
    [R_ANY, R_ANY, R_ANY, GW, R_ANY, W_ANY,
        GW, NO, NO, NO, W_ANY],
    /* site */
    [NO, L_ZONE, NO, R_ANY, SWITCH_ANY, W_ANY,
        R_GW, NO, NO, NO, W_ANY],
    /* electric network */
    [NO, L_ZONE, NO, R_ANY, SWITCH_ANY, W_ANY,
        GW, NO, NO, NO, W_ANY],
    /* specification */
    [NO, R_ANY, R_ANY, R_ANY, R_ANY, W_ANY,
        R_ANY, R_ANY, R_ANY, NO, W_ANY],
    /* asset */
    [NO, R_DATA, NO, NO, NO, W_ANY,
        NO, NO, NO, NO, W_ANY],
    /* group */
    [NO, NO, NO, NO, R_ANY, W_ANY,
        GR, NO, NO, NO, W_ANY],
    /* settings */
    [NO, NO, NO, NO, NO, W_ANY,
        NO, NO, NO, NO, W_ANY],
    /* result */
    [NO, R_DATA, GR, R_ON_ZONE, R_ANY, R_ANY,
        OWN_GR, NO, NO, NO, R_ANY],
    /* refusals */
    [NO, R_DATA_CONTENT, NO, NO, ACK_ANY, ACK_CONTENT,
        NO, NO, NO, L_ANY, R_CONTENT],
    /* audit */
    [NO, R_DATA, R_OWN, NO, R_ANY, R_ANY,
        NO, NO, NO, PLATFORMS, R_ANY],
    /* commit-order lists */
    [NO, NO, NO, NO, NO, NO,
        NO, NO, NO, NO, W_ANY],
    /* topic own input */
    [NO, NO, NO, NO, NO, NO,
        P_ITSELF, P_DEVICE, P_NODES, NO, W_ANY],
    /* topic shared input */
    [NO, NO, NO, NO, NO, NO,
        NO, P_SHARED, NO, NO, W_ANY],
    /* topic commands */
    [NO, NO, NO, NO, NO, NO,
        NO, R_DEVICE, R_NODES, NO, R_ANY],
    /* topic live */
    [NO, R_DATA, GR, R_ON_ZONE, NO, R_UNOWNED,
        GR, NO, NO, NO, R_ANY],
    /* topic se */
    [NO, NO, NO, R_ANY, NO, NO,
        SE_APP, NO, GR, NO, R_ANY],
    /* topic echo, rts */
    [NO, NO, NO, NO, NO, NO,
        W_ANY, W_SHARED, NO, NO, W_ANY],
];
