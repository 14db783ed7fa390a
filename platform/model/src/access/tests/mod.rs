//! Tests of rights: the table in words held against what decides, and laws.
//!
//! | file | purpose |
//! |---|---|
//! | `oracle` | `table.txt`, asked cell by cell, and each changed cell found |
//! | `properties` | laws |
//! | `sample` | a small tenant |

mod oracle;
mod properties;
mod sample;
