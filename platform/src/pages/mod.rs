//! The web pages: what people see and use of the platform. The server renders whole documents;
//! forms work without script; script adds live values and parts of a page.
//!
//! A page asks the same use cases as REST, with the credential of who is signed in, so it can show
//! nothing that REST would not. A `GET` changes nothing; forms `POST`, and are answered with a way
//! to what became of it (303).
//!
//! | file | purpose |
//! |---|---|
//! | `frame` | `PAGES`, the router made of it, who may see which page, headers |
//! | `viewer` | who asks for a page, and what the request has in it |
//! | `view` | templates, whole pages and parts of them |
//! | `session` | signing in and out: the cookie |
//! | `live` | which parts of an open page are out of date |
//! | `format` | numbers and instants for people |
//! | `homes` | what a household's devices show: values, names, readings of registers |
//! | `charts` | drawings of series |
//! | `now`, `devices`, `history` | a household: now, its devices, series over time |
//! | `views` | series kept under a name |
//! | `alarms`, `rules` | alarms, rules as sentences |
//! | `bills`, `tariff` | bills with their arithmetic, what energy costs now and next |
//! | `reports`, `groups`, `awareness` | what was made of periods; what zones take as a whole; advice |
//! | `account`, `public` | one's own account; what everybody may see |
//! | `sharing` | who sees what of one's own; what others share |
//! | `grid`, `outages` | a distributor's network now, as tree and picture; its outages |
//! | `health`, `connections` | how the platform is, for who runs it; sources outside |
//! | `lists` | the frame of lists: what is looked for, and a page of what fits |
//! | `people`, `keys`, `tenants` | lists of administrators |
//! | `networks` | field networks, their gateways and nodes, nodes that wait to be registered |
//! | `roles` | what each role may do |
//! | `records` | the audit and the rejected messages, newest first |

mod account;
mod alarms;
mod awareness;
mod bills;
mod charts;
mod connections;
mod devices;
mod format;
mod frame;
mod grid;
mod groups;
mod health;
mod history;
mod homes;
mod keys;
mod lists;
mod live;
mod networks;
mod now;
mod outages;
mod people;
mod public;
mod records;
mod reports;
mod roles;
mod rules;
mod session;
mod sharing;
mod tariff;
mod tenants;
#[cfg(test)]
mod tests;
mod view;
mod viewer;
mod views;

pub(crate) use frame::{router, with_missing_page};
