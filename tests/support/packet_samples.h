// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compiler/options.h"
#include "model/store.h"
#include "tests/support/packet.h"

namespace felix::testing {

// `n` packets that are worth asking about: on the edges of the networks and port ranges that the
// resources name, between the addresses and interfaces of endpoints, and a few that nobody expects
// (unknown interfaces, spoofed sources, protocols without ports, every state of a flow). Most
// belong to an endpoint of `options.hostname`. Some bring marks, and some are redirected by others.
// The same arguments give the same packets.
[[nodiscard]] std::vector<Packet> SamplePackets(const model::Store& store,
                                                const compiler::Options& options,
                                                std::uint64_t seed, std::size_t n);

}  // namespace felix::testing
