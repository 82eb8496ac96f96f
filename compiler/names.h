// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/ir/rule.h"
#include "model/policy.h"

namespace felix::compiler {

using ir::Direction;

// x_tables chain names hold 28 usable characters.
inline constexpr std::size_t kMaxChainName = 28;

// prefix + suffix if that fits, else prefix + "_" and as much of the suffix's SHA-256 as fits.
// Verbatim names never look like shortened ones, so two different suffixes meet only if their
// hashes do. The scheme is Calico's, so that its tools recognise the chains.
[[nodiscard]] std::string LimitedName(std::string_view prefix, std::string_view suffix,
                                      std::size_t max_length = kMaxChainName);

[[nodiscard]] std::string PolicyChainName(const model::PolicyId& id, Direction direction);
[[nodiscard]] std::string ProfileChainName(std::string_view profile, Direction direction);
// cali-tw-<interface> (to the workload), cali-fw-<interface> (from it).
[[nodiscard]] std::string EndpointChainName(std::string_view interface_name, Direction direction);
// The chain that all containers with the same ordered list of policies share.
[[nodiscard]] std::string ShapeChainName(std::string_view shape_text, Direction direction);
// Roots of the trees that lead a packet to its container's chain.
[[nodiscard]] std::string DispatchChainName(Direction direction);

// Chains of an interface of the host, by what they police: cali-fh-<interface>, what comes from the
// network to the host; cali-th-…, what the host sends there; cali-fhfw-… and cali-thfw-…, what it
// forwards from and to that network.
[[nodiscard]] std::string HostChainName(std::string_view interface_name, Direction direction);
[[nodiscard]] std::string HostForwardChainName(std::string_view interface_name,
                                               Direction direction);
// In place of an interface's name: those that have no host endpoint of their own. No interface can
// be called that.
inline constexpr std::string_view kAnyInterface = "any-interface-at-all";
// Roots that lead to these chains, by direction as above: to the host is ingress.
[[nodiscard]] std::string HostDispatchChainName(Direction direction);
[[nodiscard]] std::string HostForwardDispatchChainName(Direction direction);
[[nodiscard]] std::string FailsafeChainName(Direction direction);

inline constexpr std::string_view kPreroutingChain = "cali-PREROUTING";
inline constexpr std::string_view kOutputChain = "cali-OUTPUT";
inline constexpr std::string_view kPostroutingChain = "cali-POSTROUTING";
inline constexpr std::string_view kForwardChain = "cali-FORWARD";
inline constexpr std::string_view kInputChain = "cali-INPUT";
inline constexpr std::string_view kWorkloadForwardChain = "cali-wl-forward";
inline constexpr std::string_view kWorkloadToHostChain = "cali-wl-to-host";
inline constexpr std::string_view kWorkloadIcmpV6Chain = "cali-wl-icmp6";
inline constexpr std::string_view kAllowChain = "cali-allow";
inline constexpr std::string_view kPassChain = "cali-pass";

// Of ChainLayout=Shared, all in the mangle table.
inline constexpr std::string_view kRefuseChain = "cali-refuse";
// What every packet from, or to, a container passes: cali-from-wl, cali-to-wl.
[[nodiscard]] std::string ElementChainName(Direction direction);
// The root of the tree that leads to a shape by its number, and nodes below it: `level` bits of
// the number are still to be asked for.
[[nodiscard]] std::string ShapeTreeName(Direction direction);
[[nodiscard]] std::string ShapeTreeName(Direction direction, int level, std::uint32_t first);
// The ids of the maps from addresses at interfaces to shapes: e:from, e:to.
[[nodiscard]] std::string ElementMapId(Direction direction);

}  // namespace felix::compiler
