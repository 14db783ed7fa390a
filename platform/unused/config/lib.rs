//! Nothing, in place of the package `config`, which `rmqtt` 0.24.0 asks for and does not use in the
//! features that are built here. It reads the settings of plugins there, which is code of the
//! feature `plugin`. Were that to change, the compiler would miss it.
