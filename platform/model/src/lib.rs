//! What the platform decides, as pure functions of what it has: no I/O, no clock, no randomness.
//!
//! | module | purpose |
//! |---|---|
//! | `access` | who somebody is, what presents it, and what they may do |
//! | `message`, `refusal` | what devices send, decoded; why something was not taken |
//! | `work`, `decide` | what a store is given to do; the storing rules, the same for every store |
//! | `row`, `standing`, `invocation` | what stores keep: rows, counts, commands and their states |
//! | `document` | what people and programs declare: versions, changes |
//! | `entity` | the kinds of documents, and what held at an instant |
//! | `directory`, `documents` | every registered device and the resident documents, in memory |
//! | `consistency` | what documents must agree on with those that are there |
//! | `facts` | what documents hold about access: owners, grants, memberships |
//! | `schedule` | when something is due |
//! | `calendar`, `series` | stretches of local time; roll-ups of values |
//! | `bill` | what a customer's energy costs, by registers and tariffs |
//! | `audit`, `token` | the chain of audit rows; tokens of entities, numbers that strangers see |

pub mod access;
pub mod audit;
pub mod bill;
pub mod calendar;
pub mod consistency;
pub mod decide;
pub mod directory;
pub mod document;
pub mod documents;
pub mod entity;
pub mod facts;
pub mod invocation;
pub mod message;
pub mod refusal;
pub mod row;
pub mod schedule;
pub mod series;
pub mod standing;
pub mod token;
pub mod work;
