//! Nothing, in place of the package `tower-resilience-circuitbreaker`, which `rmqtt` 0.24.0 asks
//! for and does not use in the features that are built here. It guards the calls between brokers
//! there, which is code of the feature `grpc`. Were that to change, the compiler would miss it.
