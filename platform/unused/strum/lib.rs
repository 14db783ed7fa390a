//! Nothing, in place of the package `strum`, which `rmqtt` 0.24.0 asks for and does not use in the
//! features that are built here. It counts the messages between brokers there, which is code of the
//! feature `grpc`. Were that to change, the compiler would miss it.
